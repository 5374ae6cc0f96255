#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "burin/data/dataset.h"
#include "burin/data/transforms.h"

namespace burin::data {

/// Some samples, ready for the device: u8, normalised there.
struct Batch {
  int64_t epoch = 0;
  int64_t number = 0;  // within the epoch
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> pixels;   // [N, height, width, 3]
  std::vector<int64_t> labels;   // [N]
  std::vector<int64_t> indices;  // [N] which samples these are

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct LoaderOptions {
  int64_t batch_size = 32;
  int workers = 2;         // threads that decode and transform
  int64_t prefetch = 4;    // batches in the making or waiting, at most
  bool shuffle = false;    // epoch e is in the order of randperm(n, seed + e)
  bool drop_last = false;  // leave out a last batch that is not full
  uint64_t seed = 42;      // of the order and of the augmentation
};

/// The samples in the order of an epoch.
std::vector<int64_t> order_of_epoch(int64_t samples, int64_t epoch, const LoaderOptions& options);
int64_t batches_of_epoch(int64_t samples, const LoaderOptions& options);

/// Makes batches ahead of time on worker threads. What is in a batch depends on data set,
/// transform, options, epoch and batch number alone: not on the number of workers, nor on where it
/// started. One thread uses a loader; the workers are its own.
class Loader {
 public:
  /// Throws Error for an empty data set, or options below 1.
  Loader(std::shared_ptr<const Dataset> dataset, Transform transform, LoaderOptions options = {});
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// Stops the workers; each finishes at most the sample it is at.
  ~Loader() = default;

  int64_t batches_per_epoch() const;
  const Dataset& dataset() const { return *dataset_; }

  /// Begins an epoch, at batch `first_batch` when resuming; what was under way is dropped.
  void start(int64_t epoch, int64_t first_batch = 0);

  /// The next batch of the epoch, or nothing at its end. Waits for it.
  /// Throws Error naming the sample if one of the batch could not be read; the next call goes on
  /// with the batch after it. Throws OutOfMemory where there is no room for the batch.
  std::optional<Batch> next();

 private:
  /// A batch in the making. Workers fill it without the lock, each its own samples.
  struct Slot {
    Batch batch;
    int64_t given_out = 0;
    int64_t finished = 0;
    int64_t failed_at = 0;     // position of the first failure, so that the error reported
    std::exception_ptr error;  // does not depend on who was faster
  };
  struct Task {
    std::shared_ptr<Slot> slot;
    int64_t position = 0;
  };

  std::shared_ptr<Slot> make_slot(int64_t number) const;
  std::optional<Task> find_task();
  void work(const std::stop_token& stop);
  void fill(const Task& task) const;

  std::shared_ptr<const Dataset> dataset_;
  Transform transform_;
  LoaderOptions options_;

  std::mutex mutex_;  // guards what follows, down to the slots' counters and errors
  std::condition_variable_any work_wanted_;
  std::condition_variable batch_finished_;
  int64_t epoch_ = 0;
  std::vector<int64_t> order_;
  int64_t next_number_ = 0;  // of the next slot to make
  std::deque<std::shared_ptr<Slot>> slots_;

  std::vector<std::jthread> workers_;  // last: stopped and joined before the rest goes
};

}  // namespace burin::data
