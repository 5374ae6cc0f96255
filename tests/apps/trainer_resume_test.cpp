// Runs that were stopped and gone on with.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "apps/training_images.h"
#include "burin/apps/training/checkpoint.h"
#include "burin/apps/training/trainer.h"
#include "burin/nn/module.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::losses;
using testing_support::small_run;
using testing_support::TemporaryFolder;
using testing_support::write_images;

// Stopped in the middle of an epoch and gone on with: the same losses, bit for bit.
TEST(Trainer, ResumesBitForBit) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.ema = 0.9;
  std::filesystem::create_directories(folder.path() / "whole");
  std::filesystem::create_directories(folder.path() / "parts");
  const TrainOutcome whole = Trainer(options, {}).run(folder.file("whole"));

  std::atomic<bool> stop{false};
  TrainCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_step = [&](const StepProgress& p) {
    stop = p.epoch == 2 && p.step == 2 && !p.validating;
  };
  EXPECT_TRUE(Trainer(options, callbacks).run(folder.file("parts")).interrupted);

  Trainer second(options, {});
  second.resume(folder.file("parts/last.ckpt"));
  const TrainOutcome resumed = second.run(folder.file("parts"));
  EXPECT_EQ(losses(resumed), losses(whole));
  EXPECT_EQ(testing_support::read_whole(folder.file("parts/best.safetensors")),
            testing_support::read_whole(folder.file("whole/best.safetensors")));
}

// Batch norm's running statistics can overflow while the batches' own are in range.
TEST(Trainer, ResumesWhereTheValidationLossIsNoNumber) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  const TrainOptions options = small_run(folder.path() / "images");
  TrainCallbacks callbacks;
  std::atomic<bool> stop{false};
  callbacks.stop = &stop;
  callbacks.on_epoch = [&](const EpochResult& e) { stop = e.epoch == 1; };
  Trainer first(options, callbacks);
  for (const nn::NamedTensor& entry : nn::state(first.model())) {
    Tensor tensor = entry.tensor;
    if (entry.name == "bn1.running_mean") fill_(tensor, NAN);
  }
  ASSERT_TRUE(first.run(folder.path().string()).interrupted);
  Trainer second(options, {});
  second.resume(folder.file("last.ckpt"));
  ASSERT_EQ(second.outcome().epochs.size(), 1u);
  EXPECT_FALSE(std::isfinite(second.outcome().epochs.front().val_loss));
}

TEST(Trainer, RefusesToResumeOnOtherImages) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  Trainer(options, {}).run(folder.path().string());
  std::filesystem::remove(folder.path() / "images/dark/3.ppm");
  Trainer other(options, {});
  expect_error([&] { other.resume(folder.file("last.ckpt")); }, "was written for other images");
}

TEST(Trainer, RefusesCountersThatCannotBe) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  Trainer(options, {}).run(folder.path().string());
  const Checkpoint sound = Checkpoint::load(folder.file("last.ckpt"));
  const auto expect_refusal = [&](const char* key, int64_t value, const char* part) {
    Checkpoint damaged = sound;
    damaged.set(key, value);
    damaged.save(folder.file("damaged.ckpt"));
    Trainer trainer(options, {});
    expect_error([&] { trainer.resume(folder.file("damaged.ckpt")); }, part);
  };
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  expect_refusal("steps", most, "damaged.ckpt: 'steps' is 9223372036854775807, no count");
  expect_refusal("images", -1, "damaged.ckpt: 'images' is -1, no count");
  expect_refusal("epoch", 0, "its counters contradict each other");
  expect_refusal("best_epoch", 2, "its counters contradict each other");
  expect_refusal("next_batch", 1, "its counters contradict each other");  // of no images
  expect_refusal("next_batch", 1000, "its counters contradict each other");
}

// In whatever the file is wrong: what was read before that is not kept.
TEST(Trainer, ARefusedCheckpointLeavesTheRunAsItWas) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.recipe = "fine-tune";  // the checkpoint is of another phase than the run begins with
  options.epochs = 1;
  options.ema = 0.9;
  const TrainOutcome whole = Trainer(options, {}).run(folder.path().string());
  const Checkpoint sound = Checkpoint::load(folder.file("last.ckpt"));
  const auto without = [&](std::string_view prefix) {
    Checkpoint damaged = sound;
    const auto of_that = [&](const auto& entry) { return entry.name.starts_with(prefix); };
    damaged.tensors.erase(std::find_if(damaged.tensors.begin(), damaged.tensors.end(), of_that));
    return damaged;
  };
  Checkpoint other_counters = sound, nowhere = sound;
  other_counters.set("best_epoch", int64_t{100});
  nowhere.text.erase("environment");
  for (const Checkpoint& damaged : {without("model/fc."), without("optimizer/"), without("ema/"),
                                    without("run/"), other_counters, nowhere}) {
    damaged.save(folder.file("damaged.ckpt"));
    Trainer trainer(options, {});
    EXPECT_THROW(trainer.resume(folder.file("damaged.ckpt")), Error);
    EXPECT_EQ(losses(trainer.run(folder.path().string())), losses(whole));
  }
}

}  // namespace
}  // namespace burin::apps
