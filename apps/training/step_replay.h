#pragma once

#include <functional>
#include <memory>
#include <string>

#include "burin/apps/training/batch_source.h"
#include "burin/nn/ema.h"
#include "burin/nn/optimizer.h"
#include "burin/tensor/step_graph.h"

namespace burin::apps {

/// The steps of a run: the first ones as they come, which makes plans, moments and buffers; then
/// one that is recorded (tensor/step_graph.h) and replayed with each batch, bit for bit what the
/// step itself would do.
class StepReplay {
 public:
  /// A batch's work on the device, the optimiser's step and the averages' update included. Returns
  /// the loss.
  using Step = std::function<Tensor(const TrainBatch&)>;

  StepReplay(Device device, Step step);

  /// Does a step and returns its loss, which the next one overwrites. A batch of another size than
  /// the recorded one's is not replayed.
  /// Without averages of the weights, `ema` is null.
  Tensor run(const TrainBatch& batch, nn::Optimizer& optimizer, nn::Ema* ema);

  /// Why the step could not be recorded, after run() has tried; it then came as the others.
  const std::string& refusal() const { return refusal_; }

  /// Begins anew: for another optimiser, or other parameters to train.
  void forget();

 private:
  bool can_replay(const TrainBatch& batch) const;
  void record(const TrainBatch& batch, nn::Optimizer& optimizer, nn::Ema* ema);

  Device device_;
  Step step_;
  int steps_ = 0;      // before the recording
  TrainBatch inputs_;  // where the recorded step reads: most sources write each batch there
  Tensor loss_;        // where it writes
  std::unique_ptr<StepGraph> graph_;
  std::string refusal_;
};

}  // namespace burin::apps
