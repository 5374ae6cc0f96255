#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "burin/kernels/base/error.h"
#include "burin/kernels/device_runtime.h"

namespace burin {

/// What an allocator holds, in bytes.
struct AllocatorStats {
  size_t in_use_bytes = 0;       // handed out now
  size_t held_bytes = 0;         // taken from the device: in use and cached
  size_t peak_in_use_bytes = 0;  // since the last reset_peak()
  size_t peak_held_bytes = 0;
  int64_t device_allocations = 0;  // calls that reached the device; constant once a loop is steady
};

/// Keeps freed blocks for the next request of their size class, so that a training loop reaches the
/// device's allocator in its first step only. One free list per (stream, size class): a block freed
/// on a stream is reused in that stream's order without waiting. Thread-safe.
///
/// BURIN_ALLOCATOR=plain turns caching off, so that ASan and valgrind see each tensor's true
/// bounds.
class CachingAllocator {
 public:
  explicit CachingAllocator(Device device);
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// At least `bytes` bytes for work on `stream`. Throws OutOfMemory, which says how much was asked
  /// and held, when neither the device nor the cap has room after all cached blocks are given back.
  void* allocate(size_t bytes, const Stream& stream);
  /// Returns a block; `stream` and `bytes` as they were at allocate.
  void free(void* data, size_t bytes, const void* native_stream) noexcept;

  /// Limit for held_bytes; 0 means none.
  void set_cap(size_t bytes);
  /// Gives every cached block back to the device.
  void release_cached();

  AllocatorStats stats() const;
  /// Starts a new phase: the peaks become what is held now.
  void reset_peak();
  /// A few lines for people: in use, cached, peak, and the largest size classes.
  std::string report() const;

  /// The bytes really reserved for a request: at most 1/8 more.
  static size_t size_class(size_t bytes);

 private:
  using FreeList = std::map<std::pair<const void*, size_t>, std::vector<void*>>;
  void release_cached_locked();
  bool over_cap(size_t more) const { return cap_ > 0 && stats_.held_bytes + more > cap_; }

  Device device_;
  DeviceRuntime& runtime_;
  bool caching_;
  size_t cap_ = 0;
  mutable std::mutex mutex_;
  FreeList free_;
  AllocatorStats stats_;
};

/// The allocator of a device. Shared by all threads, lives as long as any storage does.
std::shared_ptr<CachingAllocator> allocator_of(Device device);

}  // namespace burin
