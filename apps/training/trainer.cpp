// The loop: epochs, steps, validation.
#include "burin/apps/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "burin/apps/training/model_file.h"
#include "burin/kernels/range.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/elementwise.h"

namespace burin::apps {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The averaged weights stand in for the model's while it lives.
class EmaGuard {
 public:
  explicit EmaGuard(nn::Ema* ema) : ema_(ema) {
    if (ema_ != nullptr) ema_->swap();
  }
  ~EmaGuard() {
    if (ema_ != nullptr) ema_->swap();
  }
  EmaGuard(const EmaGuard&) = delete;
  EmaGuard& operator=(const EmaGuard&) = delete;

 private:
  nn::Ema* ema_;
};

}  // namespace

TrainOutcome Trainer::run(const std::string& weights_folder) {
  last_save_ = std::chrono::steady_clock::now();
  while (epoch_ < epochs() && !outcome_.stopped_early) {
    train_epoch(weights_folder);
    if (outcome_.interrupted) return outcome_;
    try {
      finish_epoch(validate(), weights_folder);
    } catch (const Interrupted&) {
      // Going on begins where validation does: every batch of the epoch is done.
      outcome_.interrupted = true;
      save_checkpoint(weights_folder);
      return outcome_;
    }
  }
  return outcome_;
}

std::optional<TrainBatch> Trainer::first_batch() {
  train_source_->start(0, 0);
  return train_source_->next();
}

void Trainer::finish_epoch(EpochResult result, const std::string& weights_folder) {
  if (is_better(result)) {
    result.best = true;
    outcome_.best_epoch = result.epoch;
    outcome_.best_accuracy = result.accuracy;
    epochs_without_gain_ = 0;
    const EmaGuard averages(ema_.get());
    save_model(weights_folder + "/best.safetensors", *model_, data_.classes,
               {{"burin.epoch", str(result.epoch)},
                {"burin.accuracy", str(result.accuracy)},
                {"burin.aug", options_.aug}});
  } else {
    ++epochs_without_gain_;
  }
  outcome_.epochs.push_back(result);
  outcome_.stopped_early = options_.patience > 0 && epochs_without_gain_ >= options_.patience;
  ++epoch_;
  next_batch_ = 0;
  images_ = 0;
  epoch_seconds_ = 0;
  fill_(loss_sum_, 0);
  if (epoch_ < epochs()) enter_phase();
  save_checkpoint(weights_folder);
  if (callbacks_.on_epoch) callbacks_.on_epoch(result);
}

void Trainer::train_epoch(const std::string& weights_folder) {
  const auto start = std::chrono::steady_clock::now();
  const double seconds_before = epoch_seconds_;
  train_source_->start(epoch_, next_batch_);
  while (const std::optional<TrainBatch> batch = train_source_->next()) {
    train_step(*batch, next_batch_);
    ++next_batch_;
    epoch_seconds_ = seconds_before + seconds_since(start);
    // Gradients under way are in no checkpoint.
    if (next_batch_ % options_.accumulate != 0) continue;
    if (stop_requested()) {
      outcome_.interrupted = true;
      save_checkpoint(weights_folder);
      return;
    }
    if (seconds_since(last_save_) > 60 * options_.save_minutes) save_checkpoint(weights_folder);
  }
  synchronize(device_);  // the epoch's time ends with its last step
  epoch_seconds_ = seconds_before + seconds_since(start);
}

Tensor Trainer::loss_of(const TrainBatch& batch, int64_t number) {
  const Range range(device_, "forward");
  if (mixer_) {
    const MixedBatch mixed = mixer_->mix(batch, epoch_, number);
    return soft_cross_entropy(cast(model_->forward(mixed.x), DType::f32), mixed.targets);
  }
  const Tensor logits = features_only_ ? model_->classify(batch.x) : model_->forward(batch.x);
  return cross_entropy(cast(logits, DType::f32), batch.labels,
                       {.class_weight = class_weight_,
                        .label_smoothing = static_cast<float>(options_.label_smoothing)});
}

/// The first and the last of the batches whose gradients make one step.
std::pair<int64_t, int64_t> Trainer::batches_of_step(int64_t number) const {
  const int64_t first = number / options_.accumulate * options_.accumulate;
  return {first, std::min(first + options_.accumulate, train_source_->batches_per_epoch()) - 1};
}

/// What a step queues, and what is recorded where steps are replayed.
Tensor Trainer::step_on_device(const TrainBatch& batch, int64_t number) {
  const auto [first, last] = batches_of_step(number);
  if (number == first) {
    optimizer_->zero_grad();  // before forward: the old gradients' memory serves the activations
  }
  const Tensor loss = loss_of(batch, number);
  backward(first == last ? loss : affine(loss, 1 / static_cast<double>(last - first + 1), 0));
  if (number == last) {
    if (options_.clip_grad > 0) optimizer_->clip_gradients(options_.clip_grad);
    optimizer_->step();
    if (ema_) ema_->update();
  }
  add_(loss_sum_, loss.detach(), static_cast<double>(batch.size()));
  return loss.detach();
}

Tensor Trainer::replay(const TrainBatch& batch) {
  Tensor loss = replay_->run(batch, *optimizer_, ema_.get());
  if (const std::string refusal = replay_->refusal(); !refusal.empty()) {
    check(options_.graph != "on", "--graph on: a step can't be recorded: ", refusal);
    replay_.reset();
    if (callbacks_.on_note) callbacks_.on_note("steps are not replayed: " + refusal);
  }
  return loss;
}

/// Nothing else would hold the host back: what it says of the run, and when it stops, would be of
/// steps that the device has still to do.
void Trainer::limit_steps_ahead() {
  constexpr size_t most = 4;  // enough for a batch that comes late
  DeviceRuntime& runtime = runtime_of(device_);
  steps_ahead_.push_back(runtime.mark(current_stream(device_)));
  if (steps_ahead_.size() <= most) return;
  runtime.wait(*steps_ahead_.front());
  steps_ahead_.pop_front();
}

void Trainer::train_step(const TrainBatch& batch, int64_t number) {
  const int64_t batches = train_source_->batches_per_epoch();
  if (number == batches_of_step(number).first) {
    const double share = static_cast<double>(number) / static_cast<double>(batches);
    set_schedule(*optimizer_, options_, *phase_, static_cast<double>(epoch_) + share);
  }
  const Tensor loss = replay_ ? replay(batch) : step_on_device(batch, number);
  limit_steps_ahead();
  images_ += batch.size();
  if (!callbacks_.on_step) return;
  const bool read = callbacks_.wants_loss && callbacks_.wants_loss();
  const double value = read ? loss.item() : std::numeric_limits<double>::quiet_NaN();
  check(!read || std::isfinite(value), "the loss is ", value, " at epoch ", epoch_ + 1, ", step ",
        number + 1, "\n  hint: lower --lr, or add --clip-grad 1");
  callbacks_.on_step({.epoch = epoch_ + 1,
                      .epochs = epochs(),
                      .step = number + 1,
                      .steps = batches,
                      .images = images_,
                      .loss = value});
}

Evaluation Trainer::evaluate_now() {
  const auto progress = [&](int64_t done) {
    if (callbacks_.on_step) {
      callbacks_.on_step({.epoch = epoch_ + 1,
                          .epochs = epochs(),
                          .step = done,
                          .steps = data_.val->size(),
                          .validating = true,
                          .images = done,
                          .loss = std::numeric_limits<double>::quiet_NaN()});
    }
    return !stop_requested();
  };
  const EmaGuard averages(ema_.get());
  const nn::EvaluationGuard evaluating(*model_);
  return evaluate(
      [&](const Tensor& x) { return features_only_ ? model_->classify(x) : model_->forward(x); },
      *val_source_, model_->classes, progress);
}

EpochResult Trainer::validate() {
  EpochResult result;
  result.epoch = epoch_ + 1;
  result.epochs = epochs();
  result.train_loss = loss_sum_.item() / static_cast<double>(images_);
  check(std::isfinite(result.train_loss), "the training loss of epoch ", result.epoch, " is ",
        result.train_loss, "\n  hint: lower --lr, or add --clip-grad 1");
  result.images_per_second = static_cast<double>(images_) / epoch_seconds_;
  result.learning_rate = optimizer_->groups().back().learning_rate;

  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = evaluate_now();
  const ClassScores macro = evaluation.confusion.macro();
  result.val_loss = evaluation.loss;
  result.accuracy = evaluation.confusion.accuracy();
  result.precision = macro.precision;
  result.recall = macro.recall;
  result.f1 = macro.f1;
  result.seconds = epoch_seconds_ + seconds_since(start);
  return result;
}

bool Trainer::is_better(const EpochResult& result) const {
  if (outcome_.best_epoch == 0) return true;
  const EpochResult& best = outcome_.epochs[static_cast<size_t>(outcome_.best_epoch - 1)];
  return result.accuracy > best.accuracy ||
         (result.accuracy == best.accuracy && result.val_loss < best.val_loss);
}

}  // namespace burin::apps
