// Stopping and going on: what last.ckpt holds.
#include <filesystem>
#include <utility>

#include "burin/apps/training/epoch_line.h"
#include "burin/apps/training/trainer.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/dispatch.h"
#include "burin/kernels/plugin.h"

namespace burin::apps {
namespace {

/// An epoch as one line of numbers that read back exactly.
std::string to_line(const EpochResult& r) {
  Checkpoint numbers;
  std::string line;
  for (const double value :
       {static_cast<double>(r.epoch), r.seconds, r.train_loss, r.val_loss, r.accuracy, r.precision,
        r.recall, r.f1, r.learning_rate, r.images_per_second, r.best ? 1.0 : 0.0}) {
    numbers.set("x", value);
    line += numbers.string("x") + ' ';
  }
  return line;
}

/// Where a run was, but for what its tensors hold.
struct Place {
  int64_t epoch, next_batch, images, steps, ema_updates, epochs_without_gain;
  uint64_t seed, offset;
  double epoch_seconds;
  TrainOutcome outcome;
  std::string environment;
};

TrainOutcome outcome_in(const Checkpoint& checkpoint) {
  TrainOutcome outcome;
  const int64_t finished = checkpoint.count("finished_epochs");
  for (int64_t i = 0; i < finished; ++i) {
    const std::string& line = checkpoint.string(str("epoch_", i));
    const std::optional<EpochResult> epoch = read_epoch(line, ' ');
    check(epoch.has_value(), checkpoint.file, ": an epoch's line is damaged: '", line, "'");
    outcome.epochs.push_back(*epoch);
  }
  outcome.best_epoch = checkpoint.count("best_epoch");
  return outcome;
}

Place place_in(const Checkpoint& checkpoint, int64_t batches_per_epoch) {
  Place place{.epoch = checkpoint.count("epoch"),
              .next_batch = checkpoint.count("next_batch"),
              .images = checkpoint.count("images"),
              .steps = checkpoint.count("steps"),
              .ema_updates = checkpoint.count("ema_updates"),
              .epochs_without_gain = checkpoint.count("epochs_without_gain"),
              .seed = static_cast<uint64_t>(checkpoint.integer("generator_seed")),
              .offset = static_cast<uint64_t>(checkpoint.integer("generator_offset")),
              .epoch_seconds = checkpoint.number("epoch_seconds"),
              .outcome = outcome_in(checkpoint),
              .environment = checkpoint.string("environment")};
  TrainOutcome& outcome = place.outcome;
  const auto finished = static_cast<int64_t>(outcome.epochs.size());
  check(finished == place.epoch && outcome.best_epoch <= finished &&
            (place.next_batch > 0) == (place.images > 0) && place.next_batch <= batches_per_epoch,
        checkpoint.file, ": its counters contradict each other");
  if (outcome.best_epoch > 0) {
    outcome.best_accuracy = outcome.epochs[static_cast<size_t>(outcome.best_epoch - 1)].accuracy;
  }
  return place;
}

}  // namespace

/// What makes two runs agree bit for bit beside their options.
std::string Trainer::environment() const {
  return str(device_, ", ", compute_threads(), " threads, x86-64-v", cpu_level(),
             ", implementations '", implementations_in_force(), "'");
}

/// Handles on all that a checkpoint keeps of what is computed.
std::vector<nn::NamedTensor> Trainer::kept_tensors() {
  std::vector<nn::NamedTensor> kept;
  const auto add = [&](const std::string& prefix, const std::vector<nn::NamedTensor>& named) {
    for (const nn::NamedTensor& entry : named) kept.push_back({prefix + entry.name, entry.tensor});
  };
  add("model/", nn::state(*model_));
  add("optimizer/", optimizer_->state());
  if (ema_) add("ema/", ema_->averages());
  add("run/", {{"loss_sum", loss_sum_}});
  return kept;
}

void Trainer::save_checkpoint(const std::string& weights_folder) {
  Checkpoint checkpoint;
  checkpoint.tensors = kept_tensors();

  checkpoint.set("epoch", epoch_);
  checkpoint.set("batch_size", static_cast<int64_t>(options_.batch_size));
  checkpoint.set("next_batch", next_batch_);
  checkpoint.set("images", images_);
  checkpoint.set("epoch_seconds", epoch_seconds_);
  checkpoint.set("steps", optimizer_->steps());
  checkpoint.set("ema_updates", ema_ ? ema_->updates() : int64_t{0});
  const auto [seed, offset] = init_generator_.seed_and_offset();
  checkpoint.set("generator_seed", static_cast<int64_t>(seed));
  checkpoint.set("generator_offset", static_cast<int64_t>(offset));
  checkpoint.set("best_epoch", outcome_.best_epoch);
  checkpoint.set("epochs_without_gain", epochs_without_gain_);
  checkpoint.set("finished_epochs", static_cast<int64_t>(outcome_.epochs.size()));
  for (size_t i = 0; i < outcome_.epochs.size(); ++i) {
    checkpoint.text[str("epoch_", i)] = to_line(outcome_.epochs[i]);
  }
  checkpoint.text["data"] = str(fingerprint(*data_.train), ' ', fingerprint(*data_.val));
  checkpoint.text["environment"] = environment();
  checkpoint.save((std::filesystem::path(weights_folder) / "last.ckpt").string());
  last_save_ = std::chrono::steady_clock::now();
}

void Trainer::resume(const std::string& checkpoint_path) {
  const Checkpoint checkpoint = Checkpoint::load(checkpoint_path);
  const std::string data = str(fingerprint(*data_.train), ' ', fingerprint(*data_.val));
  check(checkpoint.string("data") == data, checkpoint_path, ": was written for other images",
        "\n  hint: resume with the data the run began with, or start a new run from its "
        "best.safetensors");
  const int64_t batch_size = checkpoint.integer("batch_size");
  check(batch_size == options_.batch_size, checkpoint_path, ": the run's batches had ", batch_size,
        " images, not ", options_.batch_size, "\n  hint: add --batch-size ", batch_size);
  Place place = place_in(checkpoint, train_source_->batches_per_epoch());
  const int64_t epoch_before = std::exchange(epoch_, place.epoch);
  try {
    enter_phase();
    checkpoint.restore(kept_tensors());
  } catch (...) {
    epoch_ = epoch_before;
    enter_phase();
    throw;
  }

  next_batch_ = place.next_batch;
  images_ = place.images;
  epoch_seconds_ = place.epoch_seconds;
  optimizer_->set_steps(place.steps);
  if (ema_) ema_->set_updates(place.ema_updates);
  init_generator_.set(place.seed, place.offset);
  epochs_without_gain_ = place.epochs_without_gain;
  outcome_ = std::move(place.outcome);
  if (next_batch_ > 0) {  // the rate of the step before: the epoch's line states the last one
    const int64_t step = (next_batch_ - 1) / options_.accumulate * options_.accumulate;
    const auto batches = static_cast<double>(train_source_->batches_per_epoch());
    set_schedule(*optimizer_, options_, *phase_,
                 static_cast<double>(epoch_) + static_cast<double>(step) / batches);
  }
  if (place.environment != environment()) {
    notes_.push_back(str("the run began with ", place.environment, " and goes on with ",
                         environment(), ": results may differ in their last bits"));
  }
}

}  // namespace burin::apps
