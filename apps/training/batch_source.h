#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "burin/apps/training/input.h"

namespace burin::apps {

/// What one step works on. A source may write its next batch over it.
struct TrainBatch {
  Tensor x;       // images or features, [N, …]
  Tensor labels;  // [N] i64

  int64_t size() const { return labels.dim(0); }
};

/// Thrown by long work that was told to stop.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// Epochs of batches. What a batch holds depends on the epoch and its number alone.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual int64_t batches_per_epoch() const = 0;
  virtual void start(int64_t epoch, int64_t first_batch) = 0;
  virtual std::optional<TrainBatch> next() = 0;
};

/// The loader's next batch. An image that can't be read is the data's fault, whenever it is met:
/// throws Failure with that exit code.
std::optional<data::Batch> next_batch(data::Loader& loader);

/// Batches of images, decoded by worker threads and normalised on the device. Their bytes travel on
/// a stream of their own, while what was queued before computes.
class ImageSource final : public BatchSource {
 public:
  ImageSource(std::shared_ptr<const data::Dataset> dataset, data::Transform transform,
              const data::LoaderOptions& options, InputMaker input);

  int64_t batches_per_epoch() const override { return loader_.batches_per_epoch(); }
  void start(int64_t epoch, int64_t first_batch) override { loader_.start(epoch, first_batch); }
  std::optional<TrainBatch> next() override;

 private:
  data::Loader loader_;
  InputMaker input_;
  TrainBatch current_;  // in the same memory while batches have the same size
};

/// Batches of features that a frozen trunk made once and for all, so that an epoch costs
/// milliseconds.
class FeatureSource final : public BatchSource {
 public:
  /// Runs `trunk` over one epoch of `images`, which must not be shuffled; with `mirrored` over
  /// their mirror images too, which are drawn half of the time, as an ImageSource that flips would.
  /// Throws Interrupted when `stop`, where there is one, becomes true.
  FeatureSource(models::Model& trunk, BatchSource& images, const data::LoaderOptions& options,
                bool mirrored, const std::atomic<bool>* stop);

  int64_t batches_per_epoch() const override;
  void start(int64_t epoch, int64_t first_batch) override;
  std::optional<TrainBatch> next() override;

 private:
  Tensor features_;  // [samples, …]
  Tensor mirrored_;  // the same of their mirror images, or undefined
  std::vector<int64_t> labels_;
  data::LoaderOptions options_;
  int64_t epoch_ = 0;
  std::vector<int64_t> order_;
  int64_t next_batch_ = 0;
};

}  // namespace burin::apps
