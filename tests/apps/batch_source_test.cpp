// Batches come out alike: uploaded on a stream of their own in whatever order the device gets to
// its streams, or gathered from a table on the device.
#include "burin/apps/training/batch_source.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "apps/training_images.h"
#include "burin/apps/training/table_source.h"
#include "burin/data/image_folder.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::TemporaryFolder;

struct Batches {
  std::vector<float> images;
  std::vector<int64_t> labels;
};

/// The rest of an epoch, looked at when all of it is queued.
Batches batches_of(BatchSource& source, int64_t epoch, int64_t first_batch,
                   Stream* first_to_end = nullptr) {
  std::vector<Tensor> images, labels;
  source.start(epoch, first_batch);
  while (const auto batch = source.next()) {
    images.push_back(clone(batch->x));
    labels.push_back(cast(batch->labels, DType::f32));
  }
  if (first_to_end != nullptr) runtime_of(first_to_end->device()).synchronize(*first_to_end);
  Batches result;
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

class BatchSourceOn : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (registry().device(GetParam()) == nullptr) {
      GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    }
    testing_support::write_images(folder.path(), 7, 6);
    dataset = std::make_shared<data::ImageFolder>(folder.path());
  }
  Device device() const { return {GetParam(), 0}; }
  InputMaker input() const { return InputMaker({}, DType::f32, device(), Layout::nhwc); }

  const TemporaryFolder folder;
  std::shared_ptr<const data::Dataset> dataset;
};

TEST_P(BatchSourceOn, ImagesArriveWhenTheyAreNeededAndStayUntilTheyWereRead) {
  const data::Transform transform = evaluation_transform({.resize = 0, .crop = 6});
  ImageSource at_once(dataset, transform, {.batch_size = 3}, input());
  const Batches expected = batches_of(at_once, 0, 0);
  for (const bool uploads_first : {false, true}) {
    Batches actual;
    setenv("BURIN_EMULATOR_STREAMS", "late", 1);
    std::thread([&] {  // a new thread has new streams
      ImageSource source(dataset, transform, {.batch_size = 3}, input());
      actual = batches_of(source, 0, 0, uploads_first ? &upload_stream(device()) : nullptr);
    })
        .join();
    unsetenv("BURIN_EMULATOR_STREAMS");
    EXPECT_EQ(actual.images, expected.images);
    EXPECT_EQ(actual.labels, expected.labels);
  }
}

TEST_P(BatchSourceOn, ATableOnTheDeviceGivesTheSameBatches) {
  using Crop = data::TrainingOptions::Crop;
  const data::LoaderOptions how{.batch_size = 4, .shuffle = true, .seed = 7};
  for (const Crop crop : {Crop::padded, Crop::none}) {
    // The padded crop keeps the pictures as they are, the other keeps what a resize makes of them.
    const data::TrainingOptions options{.size = 5, .crop = crop, .otherwise = {.resize = 7}};
    ImageSource loaded(dataset, data::training_transform(options), how, input());
    TableSource kept(dataset, *data::placed_training_transform(options, 6, 6), how, input(),
                     nullptr);
    EXPECT_EQ(kept.batches_per_epoch(), loaded.batches_per_epoch());
    for (const auto& [epoch, first_batch] : {std::pair{0, 0}, {1, 0}, {1, 2}}) {
      const Batches expected = batches_of(loaded, epoch, first_batch);
      const Batches actual = batches_of(kept, epoch, first_batch);
      EXPECT_EQ(actual.images, expected.images);
      EXPECT_EQ(actual.labels, expected.labels);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, BatchSourceOn,
                         testing::Values(DeviceKind::cpu, DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace burin::apps
