#include "burin/tensor/allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string_view>

namespace burin {

CachingAllocator::CachingAllocator(Device device) : device_(device), runtime_(runtime_of(device)) {
  const char* const mode = std::getenv("BURIN_ALLOCATOR");
  caching_ = mode == nullptr || std::string_view(mode) != "plain";
}

CachingAllocator::~CachingAllocator() {
  release_cached();
}

size_t CachingAllocator::size_class(size_t bytes) {
  constexpr size_t smallest = 512;
  if (bytes <= smallest) return smallest;
  // Eight classes between neighbouring powers of two.
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

void* CachingAllocator::allocate(size_t bytes, const Stream& stream) {
  const size_t size = caching_ ? size_class(bytes) : std::max<size_t>(bytes, 1);
  const std::lock_guard lock(mutex_);
  void* data = nullptr;
  if (const auto list = free_.find({stream.native(), size});
      list != free_.end() && !list->second.empty()) {
    data = list->second.back();
    list->second.pop_back();
  } else {
    if (over_cap(size)) release_cached_locked();
    const auto held = [&] {
      return str(device_, ": no memory for ", bytes, " bytes: ", stats_.in_use_bytes,
                 " bytes are in use", cap_ > 0 ? str(", the cap is ", cap_) : "");
    };
    if (over_cap(size)) throw OutOfMemory(held());
    try {
      data = runtime_.allocate(device_.index, size);
    } catch (const OutOfMemory&) {
      release_cached_locked();
      try {
        data = runtime_.allocate(device_.index, size);
      } catch (const OutOfMemory&) {
        throw OutOfMemory(held());
      }
    }
    ++stats_.device_allocations;
    stats_.held_bytes += size;
  }
  stats_.in_use_bytes += size;
  stats_.peak_in_use_bytes = std::max(stats_.peak_in_use_bytes, stats_.in_use_bytes);
  stats_.peak_held_bytes = std::max(stats_.peak_held_bytes, stats_.held_bytes);
  return data;
}

void CachingAllocator::free(void* data, size_t bytes, const void* native_stream) noexcept {
  const size_t size = caching_ ? size_class(bytes) : std::max<size_t>(bytes, 1);
  const std::lock_guard lock(mutex_);
  stats_.in_use_bytes -= size;
  if (caching_) {
    free_[{native_stream, size}].push_back(data);
  } else {
    stats_.held_bytes -= size;
    runtime_.free(device_.index, data);
  }
}

void CachingAllocator::set_cap(size_t bytes) {
  const std::lock_guard lock(mutex_);
  cap_ = bytes;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  release_cached_locked();
}

void CachingAllocator::release_cached_locked() {
  for (auto& [key, blocks] : free_) {
    for (void* const block : blocks) {
      runtime_.free(device_.index, block);
      stats_.held_bytes -= key.second;
    }
  }
  free_.clear();
}

AllocatorStats CachingAllocator::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_in_use_bytes = stats_.in_use_bytes;
  stats_.peak_held_bytes = stats_.held_bytes;
}

std::string CachingAllocator::report() const {
  const std::lock_guard lock(mutex_);
  constexpr double mib = 1024.0 * 1024.0;
  const auto in_mib = [](size_t bytes) { return static_cast<double>(bytes) / mib; };
  std::string text = str(device_, ": ", in_mib(stats_.in_use_bytes), " MiB in use (peak ",
                         in_mib(stats_.peak_in_use_bytes), "), ", in_mib(stats_.held_bytes),
                         " MiB held (peak ", in_mib(stats_.peak_held_bytes), "), ",
                         stats_.device_allocations, " device allocations\n");
  std::vector<std::pair<size_t, size_t>> cached;  // total, block size
  for (const auto& [key, blocks] : free_) {
    if (!blocks.empty()) cached.emplace_back(key.second * blocks.size(), key.second);
  }
  std::sort(cached.rbegin(), cached.rend());
  for (size_t i = 0; i < std::min<size_t>(cached.size(), 5); ++i) {
    text += str("  cached: ", cached[i].first / cached[i].second, " blocks of ",
                in_mib(cached[i].second), " MiB\n");
  }
  return text;
}

std::shared_ptr<CachingAllocator> allocator_of(Device device) {
  struct Allocators {
    std::mutex mutex;
    std::map<std::pair<DeviceKind, int>, std::shared_ptr<CachingAllocator>> of;
  };
  // Allocators give their memory back through the registry's device runtimes: made first, those die
  // last.
  runtime_of(device);
  static Allocators allocators;
  const std::lock_guard lock(allocators.mutex);
  std::shared_ptr<CachingAllocator>& allocator = allocators.of[{device.kind, device.index}];
  if (!allocator) allocator = std::make_shared<CachingAllocator>(device);
  return allocator;
}

}  // namespace burin
