#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "burin/apps/train_options.h"
#include "burin/apps/training/batch_source.h"
#include "burin/apps/training/checkpoint.h"
#include "burin/apps/training/datasets.h"
#include "burin/apps/training/evaluation.h"
#include "burin/apps/training/lr_finder.h"
#include "burin/apps/training/mixing.h"
#include "burin/apps/training/recipe.h"
#include "burin/apps/training/step_replay.h"
#include "burin/kernels/device_runtime.h"
#include "burin/nn/ema.h"
#include "burin/nn/optimizer.h"

namespace burin::apps {

/// One line of the table a run prints, and of results.csv.
struct EpochResult {
  int64_t epoch = 0;   // counted from 1
  int64_t epochs = 0;  // of the run
  double seconds = 0;
  double train_loss = 0;  // mean over the epoch's samples
  double val_loss = 0;
  double accuracy = 0;  // of validation, as the next three, which are averaged over the classes
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  double learning_rate = 0;  // of the last step
  double images_per_second = 0;
  bool best = false;
};

/// Where a run is, for a progress bar.
struct StepProgress {
  int64_t epoch = 0, epochs = 0;  // counted from 1
  int64_t step = 0, steps = 0;    // batches done of this epoch
  bool validating = false;
  int64_t images = 0;  // done in this phase
  double loss = 0;     // of this batch; NaN when it was not read
};

struct TrainCallbacks {
  std::function<void(const StepProgress&)> on_step = {};
  std::function<void(const EpochResult&)> on_epoch = {};
  /// Whether the next on_step wants the loss read back (that waits for the device).
  std::function<bool()> wants_loss = {};
  /// What turned out on the way.
  std::function<void(const std::string&)> on_note = {};
  /// Set from a signal handler: the run saves last.ckpt and returns.
  const std::atomic<bool>* stop = nullptr;
};

struct TrainOutcome {
  std::vector<EpochResult> epochs;
  int64_t best_epoch = 0;  // counted from 1; 0: none
  double best_accuracy = 0;
  bool interrupted = false;
  bool stopped_early = false;  // patience ran out
};

/// A training run: model, data, optimiser and where it is. What it computes depends on its options
/// alone.
class Trainer {
 public:
  /// Opens the data, makes the model, loads weights. Throws Error with a hint where that fails.
  Trainer(const TrainOptions& options, TrainCallbacks callbacks);

  const TrainOptions& options() const { return options_; }
  int64_t epochs() const { return total_epochs(phases_); }
  /// (epoch, rate) over the whole run.
  std::vector<std::pair<double, double>> learning_rates() const {
    return learning_rate_curve(options_, phases_);
  }
  const TrainingData& data() const { return data_; }
  models::Model& model() { return *model_; }
  Device device() const { return device_; }
  /// Lines for the user: what was loaded, replaced, frozen, cached.
  const std::vector<std::string>& notes() const { return notes_; }
  /// The epochs done so far; after resume() those of the run that is gone on with.
  const TrainOutcome& outcome() const { return outcome_; }

  /// Goes on from a checkpoint of an equal run. What differs in threads, level or implementations,
  /// and so breaks bit-for-bit equality, is noted. Once, before run(). Where it refuses the
  /// checkpoint, the run is as it was.
  void resume(const std::string& checkpoint_path);

  /// The first batch of the first epoch, as the network gets it. Not while run() runs.
  std::optional<TrainBatch> first_batch();

  /// Tries ever higher rates, a step each, in the first phase of the recipe. The model is spoilt
  /// afterwards.
  LearningRateCurve find_learning_rate(const LearningRateSearch& search);

  /// Trains to the end; writes best.safetensors and last.ckpt into `weights_folder`.
  TrainOutcome run(const std::string& weights_folder);

 private:
  void check_crops() const;
  void make_model();
  void set_input_size();
  void make_sources();
  InputMaker input_maker() const;
  std::unique_ptr<BatchSource> image_source(
      const std::shared_ptr<const data::Dataset>& dataset, const data::Transform& transform,
      const data::LoaderOptions& how,
      const std::function<std::optional<data::PlacedTransform>()>& placed);
  void decide_replay();
  std::string why_not_replayed() const;
  void enter_phase();
  void train_epoch(const std::string& weights_folder);
  std::pair<int64_t, int64_t> batches_of_step(int64_t number) const;
  void train_step(const TrainBatch& batch, int64_t number);
  void limit_steps_ahead();
  Tensor step_on_device(const TrainBatch& batch, int64_t number);
  Tensor replay(const TrainBatch& batch);
  Tensor loss_of(const TrainBatch& batch, int64_t number);
  void finish_epoch(EpochResult result, const std::string& weights_folder);
  EpochResult validate();
  Evaluation evaluate_now();
  bool is_better(const EpochResult& result) const;
  std::vector<nn::NamedTensor> kept_tensors();
  void save_checkpoint(const std::string& weights_folder);
  bool stop_requested() const { return callbacks_.stop != nullptr && callbacks_.stop->load(); }
  std::string environment() const;

  TrainOptions options_;
  TrainCallbacks callbacks_;
  Device device_;
  DType dtype_ = DType::f32;
  TrainingData data_;
  std::vector<std::string> notes_;
  Generator init_generator_;
  std::unique_ptr<models::Model> model_;
  std::vector<Phase> phases_;
  const Phase* phase_ = nullptr;  // the one that optimizer_ was made for
  std::unique_ptr<Mixer> mixer_;
  bool features_only_ = false;  // the sources give features, the head alone is trained
  std::unique_ptr<BatchSource> train_source_, val_source_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<StepReplay> replay_;  // null: each step is queued kernel by kernel
  std::unique_ptr<nn::Ema> ema_;
  std::deque<std::shared_ptr<Mark>> steps_ahead_;  // queued; the device may not have done them
  Tensor class_weight_;

  // where the run is
  int64_t epoch_ = 0;  // counted from 0
  int64_t next_batch_ = 0;
  Tensor loss_sum_;     // [] f32: Σ loss · size over the epoch so far
  int64_t images_ = 0;  // of the epoch so far
  double epoch_seconds_ = 0;
  TrainOutcome outcome_;
  int64_t epochs_without_gain_ = 0;
  std::chrono::steady_clock::time_point last_save_;
};

}  // namespace burin::apps
