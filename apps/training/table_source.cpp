#include "burin/apps/training/table_source.h"

#include <algorithm>

#include "burin/tensor/context.h"
#include "burin/tensor/ops/gather_u8.h"
#include "burin/tensor/ops/shape.h"

namespace burin::apps {

TableSource::TableSource(const std::shared_ptr<const data::Dataset>& dataset,
                         data::PlacedTransform transform, const data::LoaderOptions& options,
                         InputMaker input, const std::atomic<bool>* stop)
    : transform_(std::move(transform)), options_(options), input_(std::move(input)) {
  fill(dataset, stop);
}

size_t TableSource::bytes(const data::Dataset& dataset, const data::PlacedTransform& transform) {
  return static_cast<size_t>(dataset.size() * transform.fixed.width * transform.fixed.height * 3);
}

void TableSource::fill(const std::shared_ptr<const data::Dataset>& dataset,
                       const std::atomic<bool>* stop) {
  const NoGradGuard no_grad;
  const int64_t H = transform_.fixed.height, W = transform_.fixed.width;
  table_ = empty({dataset->size(), 3, H, W}, {DType::u8, input_.device(), Layout::nhwc});
  data::Loader loader(dataset, transform_.fixed,
                      {.batch_size = options_.batch_size, .workers = options_.workers});
  loader.start(0, 0);
  while (const std::optional<data::Batch> batch = next_batch(loader)) {
    if (stop != nullptr && stop->load()) throw Interrupted("interrupted");
    Tensor part = slice(table_, 0, samples(), samples() + batch->size());
    copy_into(part, input_.pixels(*batch));
    labels_.insert(labels_.end(), batch->labels.begin(), batch->labels.end());
  }
}

int64_t TableSource::batches_per_epoch() const {
  return data::batches_of_epoch(samples(), options_);
}

void TableSource::start(int64_t epoch, int64_t first_batch) {
  std::vector<int32_t> rows;
  std::vector<int64_t> labels;
  for (const int64_t sample : data::order_of_epoch(samples(), epoch, options_)) {
    data::SampleRandom random(options_.seed, epoch, sample);
    const data::Placement placement = transform_.place(random);
    rows.insert(rows.end(), {static_cast<int32_t>(sample), static_cast<int32_t>(placement.left),
                             static_cast<int32_t>(placement.top), placement.mirrored ? 1 : 0});
    labels.push_back(labels_[static_cast<size_t>(sample)]);
  }
  rows_ = Tensor::from(rows, {samples(), 4}, {DType::i32, input_.device()});
  row_labels_ = Tensor::from(labels, {samples()}, {DType::i64, input_.device()});
  next_batch_ = first_batch;
}

std::optional<TrainBatch> TableSource::next() {
  if (next_batch_ >= batches_per_epoch()) return std::nullopt;
  const NoGradGuard no_grad;
  const int64_t begin = next_batch_++ * options_.batch_size;
  const int64_t end = std::min(begin + options_.batch_size, samples());
  if (!current_.x.defined() || current_.size() != end - begin) {
    current_ = {input_.make_images(end - begin, transform_.size, transform_.size),
                empty({end - begin}, {DType::i64, input_.device()})};
  }
  input_.gather(table_, slice(rows_, 0, begin, end), current_.x);
  copy_into(current_.labels, slice(row_labels_, 0, begin, end));
  return current_;
}

}  // namespace burin::apps
