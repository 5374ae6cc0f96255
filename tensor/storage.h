#pragma once

#include <atomic>
#include <memory>

#include "burin/tensor/allocator.h"

namespace burin {

/// A block of device memory, shared by the tensors that look into it.
class Storage {
 public:
  /// Content undefined. Throws OutOfMemory.
  Storage(size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// Unique in the process, never reused.
  uint64_t id() const { return id_; }
  /// Grows with every write, so that packed copies and recorded graphs notice.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::shared_ptr<CachingAllocator> allocator_;
  Device device_;
  size_t bytes_;
  void* data_;
  uint64_t id_;
  std::atomic<uint64_t> version_{1};
};

}  // namespace burin
