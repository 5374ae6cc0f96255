#pragma once

#include "burin/nn/module.h"

namespace burin::nn {

/// Exponential moving average of a module's parameters and floating buffers; counters are copied.
/// torch calls it AveragedModel, timm ModelEmaV3, from which the warm-up is.
///
///   average ← d · average + (1 − d) · value
///   d = decay, or with warm-up min(decay, 1 − (1 + t)^(−2/3)) in update t, from 1
class Ema {
 public:
  /// Starts from the module's values. The module must outlive it.
  Ema(Module& module, double decay, bool warm_up);

  /// Call after each step, or within one that is recorded (tensor/step_graph.h).
  void update();
  /// The host's part of an update that is replayed: before it, brings the decay to the device where
  /// it changed; after it, counts it.
  void before_replay();
  void after_replay() { ++updates_; }
  /// Exchanges the module's values with the averages: call before and after evaluating.
  void swap();
  /// Averages, under the module's names, to be saved and restored in place.
  std::vector<NamedTensor>& averages() { return averages_; }
  /// Calls of update() so far, which the warm-up counts.
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  void write_decay();

  std::vector<NamedTensor> values_;
  std::vector<NamedTensor> averages_;
  Tensor device_decay_;  // [1] f32
  float written_;        // what it holds
  double decay_;
  bool warm_up_;
  int64_t updates_ = 0;
};

}  // namespace burin::nn
