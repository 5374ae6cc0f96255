// The loop: epochs, steps, validation.
#include "burin/apps/training/trainer.h"

#include <cmath>
#include <limits>

#include "burin/apps/training/model_file.h"
#include "burin/nn/schedule.h"
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

}  // namespace

TrainOutcome Trainer::run(const std::string& weights_folder) {
  last_save_ = std::chrono::steady_clock::now();
  while (epoch_ < options_.epochs && !outcome_.stopped_early) {
    train_epoch(weights_folder);
    if (outcome_.interrupted) return outcome_;
    EpochResult result = validate();
    if (is_better(result)) {
      result.best = true;
      outcome_.best_epoch = result.epoch;
      outcome_.best_accuracy = result.accuracy;
      epochs_without_gain_ = 0;
      if (ema_) ema_->swap();
      save_model(weights_folder + "/best.safetensors", *model_, data_.classes,
                 {{"burin.epoch", str(result.epoch)}, {"burin.accuracy", str(result.accuracy)}});
      if (ema_) ema_->swap();
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
    save_checkpoint(weights_folder);
    if (callbacks_.on_epoch) callbacks_.on_epoch(result);
  }
  return outcome_;
}

std::optional<TrainBatch> Trainer::first_batch() {
  train_source_->start(0, 0);
  return train_source_->next();
}

void Trainer::train_epoch(const std::string& weights_folder) {
  const auto start = std::chrono::steady_clock::now();
  const double seconds_before = epoch_seconds_;
  train_source_->start(epoch_, next_batch_);
  while (const std::optional<TrainBatch> batch = train_source_->next()) {
    train_step(*batch, next_batch_);
    ++next_batch_;
    epoch_seconds_ = seconds_before + seconds_since(start);
    if (stop_requested()) {
      outcome_.interrupted = true;
      save_checkpoint(weights_folder);
      return;
    }
    if (seconds_since(last_save_) > 60 * options_.save_minutes) save_checkpoint(weights_folder);
  }
}

void Trainer::train_step(const TrainBatch& batch, int64_t number) {
  set_schedule(number);
  optimizer_->zero_grad();  // before forward: the old gradients' memory serves the activations
  const Tensor logits = features_only_ ? model_->classify(batch.x) : model_->forward(batch.x);
  const Tensor loss =
      cross_entropy(cast(logits, DType::f32), batch.labels,
                    {.class_weight = class_weight_,
                     .label_smoothing = static_cast<float>(options_.label_smoothing)});
  backward(loss);
  if (options_.clip_grad > 0) optimizer_->clip_gradients(options_.clip_grad);
  optimizer_->step();
  if (ema_) ema_->update();

  add_(loss_sum_, loss.detach(), static_cast<double>(batch.size()));
  images_ += batch.size();
  if (!callbacks_.on_step) return;
  const bool read = callbacks_.wants_loss && callbacks_.wants_loss();
  const double value = read ? loss.item() : std::numeric_limits<double>::quiet_NaN();
  check(!read || std::isfinite(value), "the loss is ", value, " at epoch ", epoch_ + 1, ", step ",
        number + 1, "\n  hint: lower --lr, or add --clip-grad 1");
  callbacks_.on_step({.epoch = epoch_ + 1,
                      .epochs = options_.epochs,
                      .step = number + 1,
                      .steps = train_source_->batches_per_epoch(),
                      .images = images_,
                      .loss = value});
}

void Trainer::set_schedule(int64_t batch) {
  const double epochs = options_.epochs;
  const double position =
      (static_cast<double>(epoch_) +
       static_cast<double>(batch) / static_cast<double>(train_source_->batches_per_epoch())) /
      epochs;
  for (nn::ParameterGroup& group : optimizer_->groups()) {
    if (options_.sched == "onecycle") {
      const nn::OneCycle cycle{.max_learning_rate = options_.lr};
      group.learning_rate = cycle.learning_rate(position);
      group.momentum = cycle.momentum(position);
    } else if (options_.sched == "cosine") {
      group.learning_rate = nn::CosineWithWarmUp{.max_learning_rate = options_.lr,
                                                 .warm_share = options_.warmup_epochs / epochs}
                                .learning_rate(position);
    } else if (options_.sched == "step") {
      group.learning_rate = nn::StepDecay{.initial_learning_rate = options_.lr,
                                          .every_epochs = std::max<int64_t>(1, options_.epochs / 3)}
                                .learning_rate(epoch_);
    } else {
      check(options_.sched == "const", "--sched: '", options_.sched,
            "' is none of onecycle, cosine, step, const");
      group.learning_rate = options_.lr;
    }
  }
}

EpochResult Trainer::validate() {
  EpochResult result;
  result.epoch = epoch_ + 1;
  result.train_loss = loss_sum_.item() / static_cast<double>(images_);
  check(std::isfinite(result.train_loss), "the training loss of epoch ", result.epoch, " is ",
        result.train_loss, "\n  hint: lower --lr, or add --clip-grad 1");
  result.images_per_second = static_cast<double>(images_) / epoch_seconds_;
  result.learning_rate = optimizer_->groups().front().learning_rate;

  const auto start = std::chrono::steady_clock::now();
  const auto progress = [&](int64_t done) {
    if (callbacks_.on_step) {
      callbacks_.on_step({.epoch = result.epoch,
                          .epochs = options_.epochs,
                          .step = done,
                          .steps = data_.val->size(),
                          .validating = true,
                          .images = done,
                          .loss = std::numeric_limits<double>::quiet_NaN()});
    }
    return true;
  };
  if (ema_) ema_->swap();
  const Evaluation evaluation = [&] {
    const nn::EvaluationGuard evaluating(*model_);
    return evaluate(
        [&](const Tensor& x) { return features_only_ ? model_->classify(x) : model_->forward(x); },
        *val_source_, model_->classes, progress);
  }();
  if (ema_) ema_->swap();

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
