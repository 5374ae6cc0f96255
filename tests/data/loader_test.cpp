#include "burin/data/loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>

#include "burin/data/split.h"
#include "data/noise.h"
#include "support/expect_error.h"

namespace burin::data {
namespace {

using testing_support::noise;

/// Noise images of different sizes; some may refuse to load.
class NoiseDataset : public Dataset {
 public:
  explicit NoiseDataset(int64_t size, std::set<int64_t> bad = {})
      : size_(size), bad_(std::move(bad)) {}

  int64_t size() const override { return size_; }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t label(int64_t i) const override { return i % 3; }
  std::string name(int64_t i) const override { return str("noise-", i); }
  std::shared_ptr<const Image> load(int64_t i) const override {
    ++loads;
    check(!bad_.contains(i), name(i), ": it is bad");
    // Later samples are ready sooner, to bring the workers out of step.
    std::this_thread::sleep_for(std::chrono::microseconds((size_ - i) * 10));
    return std::make_shared<Image>(noise(20 + i % 7, 30 - i % 5));
  }

  mutable std::atomic<int> loads = 0;

 private:
  int64_t size_;
  std::set<int64_t> bad_;
  std::vector<std::string> classes_ = {"a", "b", "c"};
};

Transform augmentation() {
  TrainingOptions options;
  options.size = 16;
  options.jitter = {0.3, 0.3, 0.3, 0.1};
  return training_transform(options);
}

std::vector<Batch> epoch_of(Loader& loader, int64_t epoch, int64_t first_batch = 0) {
  std::vector<Batch> batches;
  loader.start(epoch, first_batch);
  while (std::optional<Batch> batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

void expect_equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].number, b[i].number);
    EXPECT_EQ(a[i].indices, b[i].indices);
    EXPECT_EQ(a[i].labels, b[i].labels);
    EXPECT_EQ(a[i].pixels, b[i].pixels);
  }
}

TEST(Loader, IsTheSameWithAnyNumberOfWorkers) {
  const auto dataset = std::make_shared<NoiseDataset>(50);
  LoaderOptions options{.batch_size = 8, .workers = 1, .shuffle = true, .seed = 7};
  Loader one(dataset, augmentation(), options);
  const std::vector<Batch> first = epoch_of(one, 0);
  const std::vector<Batch> second = epoch_of(one, 1);
  EXPECT_NE(first[0].indices, second[0].indices);
  for (int workers = 2; workers <= 8; ++workers) {
    options.workers = workers;
    options.prefetch = 1 + workers % 4;
    Loader many(dataset, augmentation(), options);
    expect_equal(epoch_of(many, 0), first);
    expect_equal(epoch_of(many, 1), second);
  }
}

TEST(Loader, ResumesAtAnyBatch) {
  const auto dataset = std::make_shared<NoiseDataset>(30);
  const LoaderOptions options{.batch_size = 4, .workers = 3, .shuffle = true};
  Loader loader(dataset, augmentation(), options);
  const std::vector<Batch> whole = epoch_of(loader, 5);
  ASSERT_EQ(whole.size(), 8u);
  for (size_t from = 0; from <= whole.size(); ++from) {
    Loader fresh(dataset, augmentation(), options);
    const auto rest = std::vector<Batch>(whole.begin() + static_cast<ptrdiff_t>(from), whole.end());
    expect_equal(epoch_of(fresh, 5, static_cast<int64_t>(from)), rest);
    // Also in the middle of an epoch that is dropped.
    loader.start(3);
    loader.next();
    expect_equal(epoch_of(loader, 5, static_cast<int64_t>(from)), rest);
  }
}

TEST(Loader, ShufflesByTorchsRandpermAndCoversEverything) {
  const auto dataset = std::make_shared<NoiseDataset>(11);
  Loader loader(dataset, augmentation(), {.batch_size = 4, .shuffle = true, .seed = 40});
  std::vector<int64_t> seen;
  for (const Batch& batch : epoch_of(loader, 2)) {
    for (size_t i = 0; i < batch.indices.size(); ++i) {
      seen.push_back(batch.indices[i]);
      EXPECT_EQ(batch.labels[i], batch.indices[i] % 3);
    }
  }
  EXPECT_EQ(seen, randperm(11, 42));
}

TEST(Loader, KeepsOrDropsTheLastBatch) {
  const auto dataset = std::make_shared<NoiseDataset>(10);
  Loader keeps(dataset, augmentation(), {.batch_size = 4});
  EXPECT_EQ(keeps.batches_per_epoch(), 3);
  const std::vector<Batch> batches = epoch_of(keeps, 0);
  EXPECT_EQ(batches.back().size(), 2);
  EXPECT_EQ(batches.back().pixels.size(), 2u * 16 * 16 * 3);
  EXPECT_EQ(batches.back().indices, (std::vector<int64_t>{8, 9}));
  Loader drops(dataset, augmentation(), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(epoch_of(drops, 0).size(), 2u);
}

TEST(Loader, RethrowsTheFirstErrorAndGoesOn) {
  const auto dataset = std::make_shared<NoiseDataset>(12, std::set<int64_t>{5, 7});
  for (int workers = 1; workers <= 8; ++workers) {
    Loader loader(dataset, augmentation(), {.batch_size = 4, .workers = workers});
    loader.start(0);
    EXPECT_EQ(loader.next()->number, 0);
    expect_error([&] { loader.next(); }, "noise-5: it is bad");
    EXPECT_EQ(loader.next()->number, 2);
    EXPECT_FALSE(loader.next());
  }
}

TEST(Loader, AnErrorOfTheTransformNamesTheSample) {
  const auto dataset = std::make_shared<NoiseDataset>(2);
  TrainingOptions options{.size = 64, .crop = TrainingOptions::Crop::padded};
  Loader loader(dataset, training_transform(options));
  loader.start(0);
  expect_error(
      [&] { loader.next(); },
      "noise-0: random crop: an image of 20x30 padded by 4 is smaller than the crop of 64");
}

TEST(Loader, DoesNotRunAheadOfItsPrefetch) {
  const auto dataset = std::make_shared<NoiseDataset>(100);
  Loader loader(dataset, augmentation(), {.batch_size = 5, .workers = 4, .prefetch = 2});
  EXPECT_EQ(dataset->loads, 0);  // nothing before start()
  loader.start(0);
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(dataset->loads, 15);
}

// Sanitizers end a program that asks for so much.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Loader, SaysThatABatchHasNoRoom) {
  Transform huge = augmentation();
  huge.width = huge.height = int64_t{1} << 23;  // a batch is more than can be addressed
  Loader loader(std::make_shared<NoiseDataset>(20), huge, {.batch_size = 2, .workers = 3});
  loader.start(0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THROW(loader.next(), OutOfMemory);
    expect_error([&] { loader.next(); }, "no memory for a batch of 2 images of 8388608x8388608");
  }
}
#endif

TEST(Loader, StopsInTheMiddleOfAnEpoch) {
  const auto dataset = std::make_shared<NoiseDataset>(100);
  for (int round = 0; round < 20; ++round) {
    Loader loader(dataset, augmentation(), {.batch_size = 5, .workers = 4});
    loader.start(round);
    if (round % 2 == 0) loader.next();
  }
}

TEST(Loader, RefusesWhatMakesNoSense) {
  const auto dataset = std::make_shared<NoiseDataset>(3);
  expect_error([] { Loader(std::make_shared<NoiseDataset>(0), augmentation()); },
               "loader: the data set is empty");
  expect_error([&] { Loader(dataset, augmentation(), {.workers = 0}); }, "must be at least 1");
  expect_error([&] { Loader(dataset, augmentation(), {.drop_last = true}); },
               "loader: 3 samples do not fill one batch of 32");
  Loader loader(dataset, augmentation());
  EXPECT_FALSE(loader.next());  // not started
  expect_error([&] { loader.start(0, 2); }, "can't start epoch 0 at batch 2, an epoch has 1");
}

TEST(CachedDataset, DecodesOnceWhileItFits) {
  const auto base = std::make_shared<NoiseDataset>(6);
  const CachedDataset all(base, 1 << 20);
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(*all.load(i), noise(20 + i % 7, 30 - i % 5));
  }
  EXPECT_EQ(base->loads, 6);
  EXPECT_EQ(all.status(), "6 of 6 decoded images kept in memory (0.0 MB)");
  const CachedDataset some(base, 5000);
  for (int64_t i = 0; i < 6; ++i) some.load(i);
  EXPECT_EQ(some.status(), "2 of 6 decoded images kept in memory (0.0 MB)");
  EXPECT_LE(some.held_bytes(), 5000);
  EXPECT_GT(CachedDataset::default_limit_bytes(), 1 << 20);
}

TEST(Subset, IsPartOfAnother) {
  const auto base = std::make_shared<NoiseDataset>(6);
  const Subset subset(base, {4, 2});
  EXPECT_EQ(subset.size(), 2);
  EXPECT_EQ(subset.name(1), "noise-2");
  EXPECT_EQ(subset.label(0), 1);
  EXPECT_EQ(class_counts(subset), (std::vector<int64_t>{0, 1, 1}));
  expect_error([&] { Subset(base, {6}); },
               "subset: index 6 is outside of the data set of 6 samples");
}

}  // namespace
}  // namespace burin::data
