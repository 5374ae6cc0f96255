// A run on the second device of its kind is the run on the first, and goes on on either.
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/training_images.h"
#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/training/trainer.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/allocator.h"
#include "support/environment.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::losses;
using testing_support::TemporaryFolder;

class SlowSeveralDevices : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    const DeviceRuntime* const runtime = registry().device(GetParam());
    if (runtime == nullptr) GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    if (runtime->count() < 2) GTEST_SKIP() << runtime->count() << " device";
    testing_support::write_images(folder.path() / "images", 12, 8);
  }
  /// Recorded steps, dropout, averages of the weights; images that are kept on the device, or with
  /// jitter travel there.
  TrainOptions on(int index, const std::string& aug = "flip") const {
    TrainOptions options = testing_support::small_run(folder.path() / "images");
    options.device = str(Device{GetParam(), index});
    options.img_size = 8;
    options.batch_size = 4;
    options.epochs = 1;
    options.head = "8,relu,drop0.3";
    options.aug = aug;
    options.clip_grad = 1;
    options.ema = 0.9;
    return options;
  }
  std::string make(const std::string& name) const {
    std::filesystem::create_directories(folder.path() / name);
    return folder.file(name);
  }
  std::string weights_of(const std::string& name) const {
    return testing_support::read_whole(folder.file(name + "/best.safetensors"));
  }

  const Environment emulated{"BURIN_EMULATOR_DEVICES", "2"};
  const TemporaryFolder folder;
};

TEST_P(SlowSeveralDevices, TrainAlike) {
  for (const std::string aug : {"flip", "jitter"}) {
    const Device first{GetParam(), 0};
    const std::vector<double> expected = losses(Trainer(on(0, aug), {}).run(make("first")));
    const int64_t allocations = allocator_of(first)->stats().device_allocations;
    EXPECT_EQ(losses(Trainer(on(1, aug), {}).run(make("second"))), expected) << aug;
    EXPECT_EQ(weights_of("second"), weights_of("first")) << aug;
    EXPECT_EQ(allocator_of(first)->stats().device_allocations, allocations);  // it took no part
  }
}

TEST_P(SlowSeveralDevices, GoOnWithARunOfAnother) {
  const std::vector<double> whole = losses(Trainer(on(0), {}).run(make("whole")));
  std::atomic<bool> stop{false};
  TrainCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_step = [&](const StepProgress& p) { stop = p.step == 2 && !p.validating; };
  EXPECT_TRUE(Trainer(on(1), callbacks).run(make("parts")).interrupted);
  Trainer second(on(0), {});
  second.resume(folder.file("parts/last.ckpt"));
  EXPECT_EQ(losses(second.run(folder.file("parts"))), whole);
  EXPECT_EQ(weights_of("parts"), weights_of("whole"));
}

INSTANTIATE_TEST_SUITE_P(Devices, SlowSeveralDevices,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST(ChooseDevice, RefusesAnIndexThatIsNotThere) {
  if (registry().device(DeviceKind::emulator) == nullptr) {
    GTEST_SKIP() << why_family_is_missing("emulator");
  }
  const Environment two("BURIN_EMULATOR_DEVICES", "2");
  EXPECT_EQ(choose_device("emulator:1"), Device::emulator(1));
  try {
    choose_device("emulator:2");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, exit_no_device);
    EXPECT_STREQ(failure.what(), "device: emulator:2 is not available: there are 2 of this kind");
  }
}

}  // namespace
}  // namespace burin::apps
