#include "burin/data/loader.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "burin/data/split.h"
#include "burin/kernels/base/error.h"

namespace burin::data {

std::vector<int64_t> order_of_epoch(int64_t samples, int64_t epoch, const LoaderOptions& options) {
  if (options.shuffle) return randperm(samples, options.seed + static_cast<uint64_t>(epoch));
  std::vector<int64_t> order(static_cast<size_t>(samples));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

int64_t batches_of_epoch(int64_t samples, const LoaderOptions& options) {
  const int64_t whole = samples / options.batch_size;
  return options.drop_last || samples % options.batch_size == 0 ? whole : whole + 1;
}

Loader::Loader(std::shared_ptr<const Dataset> dataset, Transform transform, LoaderOptions options)
    : dataset_(std::move(dataset)), transform_(std::move(transform)), options_(options) {
  check(dataset_->size() >= 1, "loader: the data set is empty");
  check(options_.batch_size >= 1 && options_.workers >= 1 && options_.prefetch >= 1,
        "loader: batch size, workers and prefetch must be at least 1, got ", options_.batch_size,
        ", ", options_.workers, " and ", options_.prefetch);
  check(batches_per_epoch() >= 1, "loader: ", dataset_->size(),
        " samples do not fill one batch of ", options_.batch_size,
        ", and the last batch is dropped unless it is full");
  next_number_ = batches_per_epoch();  // nothing to do before start()
  for (int i = 0; i < options_.workers; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

int64_t Loader::batches_per_epoch() const {
  return batches_of_epoch(dataset_->size(), options_);
}

void Loader::start(int64_t epoch, int64_t first_batch) {
  check(epoch >= 0 && first_batch >= 0 && first_batch <= batches_per_epoch(),
        "loader: can't start epoch ", epoch, " at batch ", first_batch, ", an epoch has ",
        batches_per_epoch());
  std::vector<int64_t> order = order_of_epoch(dataset_->size(), epoch, options_);
  {
    const std::lock_guard lock(mutex_);
    epoch_ = epoch;
    order_ = std::move(order);
    next_number_ = first_batch;
    slots_.clear();
  }
  work_wanted_.notify_all();
}

std::optional<Batch> Loader::next() {
  std::shared_ptr<Slot> slot;
  {
    std::unique_lock lock(mutex_);
    if (slots_.empty() && next_number_ < batches_per_epoch()) {
      slots_.push_back(make_slot(next_number_));
      ++next_number_;
      work_wanted_.notify_all();
    }
    if (slots_.empty()) return std::nullopt;
    slot = slots_.front();
    batch_finished_.wait(lock, [&] { return slot->finished == slot->batch.size(); });
    slots_.pop_front();
  }
  work_wanted_.notify_all();
  if (slot->error) std::rethrow_exception(slot->error);
  return std::move(slot->batch);
}

std::shared_ptr<Loader::Slot> Loader::make_slot(int64_t number) const {
  auto slot = std::make_shared<Slot>();
  Batch& batch = slot->batch;
  batch.epoch = epoch_;
  batch.number = number;
  batch.height = transform_.height;
  batch.width = transform_.width;
  const int64_t begin = number * options_.batch_size;
  const int64_t end = std::min(begin + options_.batch_size, dataset_->size());
  batch.indices.assign(order_.begin() + begin, order_.begin() + end);
  for (const int64_t i : batch.indices) batch.labels.push_back(dataset_->label(i));
  try {
    batch.pixels.resize(static_cast<size_t>((end - begin) * batch.height * batch.width * 3));
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str("loader: no memory for a batch of ", end - begin, " images of ",
                          batch.width, "x", batch.height, " pixels"));
  }
  return slot;
}

/// The first sample nobody has taken, in the order of the epoch. Called with the lock held.
std::optional<Loader::Task> Loader::find_task() {
  for (const std::shared_ptr<Slot>& slot : slots_) {
    if (slot->given_out < slot->batch.size()) return Task{slot, slot->given_out++};
  }
  const bool has_room = static_cast<int64_t>(slots_.size()) < options_.prefetch;
  if (!has_room || next_number_ >= batches_per_epoch()) return std::nullopt;
  try {
    slots_.push_back(make_slot(next_number_));
  } catch (const OutOfMemory&) {
    return std::nullopt;  // for working ahead; next() tries again when it needs the batch
  }
  ++next_number_;
  return Task{slots_.back(), slots_.back()->given_out++};
}

void Loader::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    std::optional<Task> task;
    work_wanted_.wait(lock, stop, [&] { return (task = find_task()).has_value(); });
    if (stop.stop_requested() || !task) return;
    lock.unlock();
    std::exception_ptr error;
    try {
      fill(*task);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    Slot& slot = *task->slot;
    if (error && (!slot.error || task->position < slot.failed_at)) {
      slot.error = error;
      slot.failed_at = task->position;
    }
    if (++slot.finished == slot.batch.size()) batch_finished_.notify_one();
  }
}

void Loader::fill(const Task& task) const {
  Batch& batch = task.slot->batch;
  const int64_t sample = batch.indices[static_cast<size_t>(task.position)];
  SampleRandom random(options_.seed, batch.epoch, sample);
  const std::shared_ptr<const Image> image = dataset_->load(sample);
  try {
    const Image result = transform_.apply(*image, random);
    check(result.width == batch.width && result.height == batch.height, "the transform gave ",
          result.width, "x", result.height, " pixels instead of ", batch.width, "x", batch.height);
    std::copy(result.pixels.begin(), result.pixels.end(),
              batch.pixels.begin() + task.position * static_cast<int64_t>(result.pixels.size()));
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str(dataset_->name(sample), ": not enough memory to transform it"));
  } catch (const Error& error) {
    fail(dataset_->name(sample), ": ", error.what());
  }
}

}  // namespace burin::data
