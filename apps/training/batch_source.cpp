#include "burin/apps/training/batch_source.h"

#include <algorithm>

#include "burin/apps/exit.h"
#include "burin/kernels/device_runtime.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/shape.h"

namespace burin::apps {

std::optional<data::Batch> next_batch(data::Loader& loader) {
  return reading_images([&] { return loader.next(); });
}

ImageSource::ImageSource(std::shared_ptr<const data::Dataset> dataset, data::Transform transform,
                         const data::LoaderOptions& options, InputMaker input)
    : loader_(std::move(dataset), std::move(transform), options), input_(std::move(input)) {}

std::optional<TrainBatch> ImageSource::next() {
  const std::optional<data::Batch> batch = next_batch(loader_);
  if (!batch) return std::nullopt;
  const Device device = input_.device();
  if (!current_.x.defined() || current_.size() != batch->size()) {
    current_ = {input_.make_images(batch->size(), batch->height, batch->width),
                empty({batch->size()}, {DType::i64, device})};
  }
  Stream& compute = current_stream(device);
  Stream& uploads = upload_stream(device);
  Tensor pixels, labels;
  {
    const StreamGuard uploading(uploads);
    pixels = input_.pixels(*batch);
    labels = input_.labels(*batch);
  }
  DeviceRuntime& runtime = runtime_of(device);
  runtime.order(compute, uploads);
  input_.normalize(pixels, current_.x);
  copy_into(current_.labels, labels);
  // The memory of both serves the next upload, which is not to begin before they were read. What is
  // queued from here on, the step, it does not wait for.
  runtime.order(uploads, compute);
  return current_;
}

FeatureSource::FeatureSource(models::Model& trunk, BatchSource& images,
                             const data::LoaderOptions& options, bool mirrored,
                             const std::atomic<bool>* stop)
    : options_(options) {
  const NoGradGuard no_grad;
  std::vector<Tensor> parts, mirrored_parts;
  images.start(0, 0);
  while (const auto batch = images.next()) {
    if (stop != nullptr && stop->load()) throw Interrupted("interrupted");
    parts.push_back(trunk.features(batch->x));
    if (mirrored) mirrored_parts.push_back(trunk.features(flip(batch->x, 3)));
    const std::vector<int64_t> labels = batch->labels.to_vector<int64_t>();
    labels_.insert(labels_.end(), labels.begin(), labels.end());
  }
  features_ = concat(parts, 0);
  if (mirrored) mirrored_ = concat(mirrored_parts, 0);
}

int64_t FeatureSource::batches_per_epoch() const {
  return data::batches_of_epoch(static_cast<int64_t>(labels_.size()), options_);
}

void FeatureSource::start(int64_t epoch, int64_t first_batch) {
  epoch_ = epoch;
  order_ = data::order_of_epoch(static_cast<int64_t>(labels_.size()), epoch, options_);
  next_batch_ = first_batch;
}

std::optional<TrainBatch> FeatureSource::next() {
  if (next_batch_ >= batches_per_epoch()) return std::nullopt;
  const int64_t begin = next_batch_++ * options_.batch_size;
  const int64_t end = std::min(begin + options_.batch_size, static_cast<int64_t>(order_.size()));
  const NoGradGuard no_grad;
  std::vector<Tensor> rows;
  std::vector<int64_t> labels;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t sample = order_[static_cast<size_t>(i)];
    data::SampleRandom random(options_.seed, epoch_, sample);
    const bool mirror = mirrored_.defined() && random.chance(0.5);
    rows.push_back(slice(mirror ? mirrored_ : features_, 0, sample, sample + 1));
    labels.push_back(labels_[static_cast<size_t>(sample)]);
  }
  return TrainBatch{
      concat(rows, 0),
      Tensor::from(labels, {end - begin}, {.dtype = DType::i64, .device = features_.device()})};
}

}  // namespace burin::apps
