// A run whose steps are recorded and replayed is the run whose steps are not, bit for bit; and a
// steady step of either neither allocates nor waits.
#include "burin/apps/training/step_replay.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apps/training_images.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/allocator.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::losses;
using testing_support::TemporaryFolder;
using testing_support::write_images;

/// Something of each kind that could go stale in a recording: a schedule that moves rates and
/// momenta, dropout, running statistics, a norm to clip, averages of the weights.
TrainOptions tiny_run(const TemporaryFolder& folder, DeviceKind device) {
  TrainOptions options = testing_support::small_run(folder.path() / "images");
  options.device = name_of(device);
  options.img_size = 8;
  options.batch_size = 4;
  options.epochs = 2;
  options.head = "8,relu,drop0.3";
  options.aug = "flip";
  options.clip_grad = 1;
  options.ema = 0.9;
  options.label_smoothing = 0.1;
  return options;
}

bool notes_say(const std::vector<std::string>& notes, std::string_view text) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

class SlowStepReplay : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (registry().device(GetParam()) == nullptr) {
      GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    }
    write_images(folder.path() / "images", 12, 8);  // 19 to train on: five batches less a bit
  }
  /// What a run leaves in a folder of its own.
  std::vector<double> run(const TrainOptions& options, const std::string& name) {
    std::filesystem::create_directories(folder.path() / name);
    TrainCallbacks callbacks;
    callbacks.on_note = [](const std::string& note) { ADD_FAILURE() << note; };
    Trainer trainer(options, callbacks);
    EXPECT_EQ(notes_say(trainer.notes(), "replayed as a whole"), options.graph != "off");
    return losses(trainer.run(folder.file(name)));
  }
  std::string weights_of(const std::string& name) const {
    return testing_support::read_whole(folder.file(name + "/best.safetensors"));
  }

  const TemporaryFolder folder;
};

TEST_P(SlowStepReplay, EqualsEagerStepsBitForBit) {
  TrainOptions options = tiny_run(folder, GetParam());
  options.aug = "flip,jitter";
  options.graph = "off";
  const std::vector<double> eager = run(options, "eager");
  options.graph = "on";
  EXPECT_EQ(run(options, "replayed"), eager);
  EXPECT_EQ(weights_of("replayed"), weights_of("eager"));
}

TEST_P(SlowStepReplay, ResumesBitForBit) {
  TrainOptions options = tiny_run(folder, GetParam());
  const std::vector<double> whole = run(options, "whole");
  std::filesystem::create_directories(folder.path() / "parts");
  std::atomic<bool> stop{false};
  TrainCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_step = [&](const StepProgress& p) { stop = p.epoch == 1 && p.step == 4; };
  EXPECT_TRUE(Trainer(options, callbacks).run(folder.file("parts")).interrupted);
  Trainer second(options, {});
  second.resume(folder.file("parts/last.ckpt"));
  EXPECT_EQ(losses(second.run(folder.file("parts"))), whole);
  EXPECT_EQ(weights_of("parts"), weights_of("whole"));
}

// Another phase has another optimiser and trains other parameters: it is recorded anew.
TEST_P(SlowStepReplay, FollowsAFineTuningThroughItsPhases) {
  TrainOptions options = tiny_run(folder, GetParam());
  options.device = "cpu";
  options.epochs = 1;
  options.graph = "off";
  run(options, "first");
  options.device = name_of(GetParam());
  options.amp = "bf16";
  options.weights = folder.file("first/best.safetensors");
  options.recipe = "fine-tune";
  const std::vector<double> eager = run(options, "eager");
  options.graph = "auto";
  EXPECT_EQ(run(options, "replayed"), eager);
  EXPECT_EQ(weights_of("replayed"), weights_of("eager"));
}

TEST_P(SlowStepReplay, ASteadyStepNeitherAllocatesNorWaits) {
  // Without jitter the images are kept on the device, with it they travel.
  for (const auto& [graph, aug] : {std::pair{"off", "flip"}, {"on", "flip"}, {"on", "jitter"}}) {
    TrainOptions options = tiny_run(folder, GetParam());
    options.aug = aug;
    options.epochs = 1;
    options.batch_size = 2;
    options.graph = graph;
    int64_t allocations = 0, waits = 0, steady = 0;
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const StepProgress& p) {
      if (p.validating) return;
      const Device device{GetParam(), 0};
      const int64_t allocated = allocator_of(device)->stats().device_allocations;
      const int64_t waited = runtime_of(device).host_waits(device.index);
      if (p.step > 5) {  // two eager ones, the recording, a replay in what it left of the memory
        EXPECT_EQ(allocated, allocations) << "--graph " << options.graph << ", step " << p.step;
        EXPECT_EQ(waited, waits) << "--graph " << options.graph << ", step " << p.step;
        ++steady;
      }
      allocations = allocated;
      waits = waited;
    };
    Trainer(options, callbacks).run(folder.path().string());
    EXPECT_GE(steady, 3);
  }
}

TEST_P(SlowStepReplay, SaysWhyStepsAreNotReplayed) {
  TrainOptions options = tiny_run(folder, GetParam());
  options.accumulate = 2;
  EXPECT_TRUE(notes_say(Trainer(options, {}).notes(), "steps are not replayed: with --accumulate"));
  options.graph = "on";
  expect_error([&] { Trainer(options, {}); }, "--graph on: with --accumulate");
}

INSTANTIATE_TEST_SUITE_P(Devices, SlowStepReplay,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST(StepReplay, IsNotForTheCpu) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 12, 8);
  TrainOptions options = tiny_run(folder, DeviceKind::cpu);
  options.graph = "on";
  expect_error([&] { Trainer(options, {}); }, "--graph on: cpu can't record a step to replay it");
  options.graph = "maybe";
  expect_error([&] { Trainer(options, {}); }, "'maybe' is none of auto, on, off");
}

}  // namespace
}  // namespace burin::apps
