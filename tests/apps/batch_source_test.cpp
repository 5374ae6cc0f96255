// Batches that travel on a stream of their own are the batches of the CPU, in whatever order the
// device gets to its streams.
#include "burin/apps/training/batch_source.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "apps/training_images.h"
#include "burin/data/image_folder.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::TemporaryFolder;

class BatchSourceOn : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (registry().device(GetParam()) == nullptr) {
      GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    }
    testing_support::write_images(folder.path(), 7, 6);
  }

  struct Epoch {
    std::vector<float> images;
    std::vector<int64_t> labels;
  };
  /// An epoch of batches of three, looked at when all are queued.
  Epoch epoch_on(Device device, bool uploads_first) const {
    ImageSource source(std::make_shared<data::ImageFolder>(folder.path()),
                       evaluation_transform({.resize = 0, .crop = 6}), {.batch_size = 3},
                       InputMaker({}, DType::f32, device, Layout::nhwc));
    std::vector<Tensor> images, labels;
    source.start(0, 0);
    while (const auto batch = source.next()) {
      images.push_back(clone(batch->x));
      labels.push_back(cast(batch->labels, DType::f32));
    }
    if (uploads_first) runtime_of(device).synchronize(upload_stream(device));
    Epoch result;
    for (const Tensor& x : images) {
      const std::vector<float> values = x.to_vector<float>();
      result.images.insert(result.images.end(), values.begin(), values.end());
    }
    for (const Tensor& x : labels) {
      const std::vector<int64_t> values = x.to_vector<int64_t>();
      result.labels.insert(result.labels.end(), values.begin(), values.end());
    }
    return result;
  }

  const TemporaryFolder folder;
};

TEST_P(BatchSourceOn, ImagesArriveWhenTheyAreNeededAndStayUntilTheyWereRead) {
  const Epoch expected = epoch_on(Device::cpu(), false);
  for (const bool uploads_first : {false, true}) {
    Epoch actual;
    setenv("BURIN_EMULATOR_STREAMS", "late", 1);
    std::thread([&] {  // a new thread has new streams
      actual = epoch_on({GetParam(), 0}, uploads_first);
    })
        .join();
    unsetenv("BURIN_EMULATOR_STREAMS");
    EXPECT_EQ(actual.images, expected.images);
    EXPECT_EQ(actual.labels, expected.labels);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, BatchSourceOn,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace burin::apps
