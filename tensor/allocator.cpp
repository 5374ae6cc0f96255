#include "burin/tensor/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace burin {
namespace {

constexpr size_t granule = 512;  // every block is a multiple
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t small = size_t{1} << 20;    // requests up to here share segments
constexpr size_t medium = size_t{10} << 20;  // and these share larger ones

constexpr size_t round_up_to(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

size_t rounded(size_t bytes) {
  return round_up_to(std::max<size_t>(bytes, 1), granule);
}

/// What to ask of the device for a request that no free block serves.
size_t segment_bytes(size_t bytes) {
  if (bytes <= small) return huge_page;
  if (bytes <= medium) return 2 * medium;
  return round_up_to(bytes, huge_page);
}

}  // namespace

CachingAllocator::CachingAllocator(Device device) : device_(device), runtime_(runtime_of(device)) {
  const char* const mode = std::getenv("BURIN_ALLOCATOR");
  caching_ = mode == nullptr || std::string_view(mode) != "plain";
}

CachingAllocator::~CachingAllocator() {
  release_cached();
}

/// Whether a request shares a segment with other small ones: never where there is an arena.
bool CachingAllocator::is_small(size_t bytes, const void* stream) const {
  const auto arena = arenas_.find(stream);
  return bytes <= small && (arena == arenas_.end() || arena->second.memory == nullptr);
}

CachingAllocator::Block* CachingAllocator::find_free(size_t bytes, const Shelf& shelf) {
  FreeBlocks& blocks = free_[shelf];
  Block wanted{nullptr, bytes, shelf.first};
  const auto found = blocks.lower_bound(&wanted);
  if (found == blocks.end()) return nullptr;
  Block* const block = *found;
  blocks.erase(found);
  return block;
}

/// Null if neither the device nor the cap has room, even after all cached blocks are given back.
CachingAllocator::Block* CachingAllocator::new_segment(size_t bytes, const Shelf& shelf) {
  const size_t size = caching_ ? segment_bytes(bytes) : bytes;
  if (over_cap(size)) release_cached_locked();
  if (over_cap(size)) return nullptr;
  void* data = nullptr;
  try {
    data = runtime_.allocate(device_.index, size);
  } catch (const OutOfMemory&) {
    release_cached_locked();
    try {
      data = runtime_.allocate(device_.index, size);
    } catch (const OutOfMemory&) {
      return nullptr;
    }
  }
  return add_block(static_cast<std::byte*>(data), size, shelf);
}

/// Memory fresh from the device.
CachingAllocator::Block* CachingAllocator::add_block(std::byte* data, size_t bytes,
                                                     const Shelf& shelf) {
  ++stats_.device_allocations;
  stats_.held_bytes += bytes;
  stats_.peak_held_bytes = std::max(stats_.peak_held_bytes, stats_.held_bytes);
  auto block = std::make_unique<Block>(Block{data, bytes, shelf.first, shelf.second});
  Block* const made = block.get();
  blocks_[data] = std::move(block);
  return made;
}

/// The last block of the stream's arena, free and at least `bytes` long; or null.
CachingAllocator::Block* CachingAllocator::grow_arena(size_t bytes, const void* stream) {
  if (kept_.contains(stream)) return nullptr;  // a pool
  const auto [place, added] = arenas_.try_emplace(stream);
  Arena& arena = place->second;
  if (added) {
    arena.memory = runtime_.growing_memory(device_.index);
    if (arena.memory) arena.end = Block{arena.memory->data(), 0, stream};
  }
  if (!arena.memory) return nullptr;
  Block& end = arena.end;
  Block* const last = end.before;
  const bool joined = last != nullptr && last->free;
  // Not a byte more than is needed: small blocks that settle in a rest would lie between the large.
  const size_t more = bytes - (joined ? last->bytes : 0);
  const auto held = static_cast<size_t>(end.data - arena.memory->data());
  if (over_cap(more) || !arena.memory->resize(held + more)) return nullptr;
  Block* const grown = add_block(end.data, more, {stream, false});
  end.data += more;
  grown->before = last;
  grown->behind = &end;
  end.before = grown;
  if (last == nullptr) return grown;
  last->behind = grown;
  if (!joined) return grown;
  beside(last).erase(last);
  return join(last, grown);
}

/// Leaves `bytes` in the block and makes a free one of what is behind.
void CachingAllocator::split(Block* block, size_t bytes) {
  if (!caching_ || block->bytes - bytes < granule) return;
  auto rest =
      std::make_unique<Block>(Block{block->data + bytes, block->bytes - bytes, block->stream,
                                    block->of_small, true, block, block->behind});
  if (block->behind != nullptr) block->behind->before = rest.get();
  block->behind = rest.get();
  block->bytes = bytes;
  beside(block).insert(rest.get());
  blocks_[rest->data] = std::move(rest);
}

/// One block of two neighbours; neither may be in the set of free blocks.
CachingAllocator::Block* CachingAllocator::join(Block* front, Block* back) {
  front->bytes += back->bytes;
  front->behind = back->behind;
  if (back->behind != nullptr) back->behind->before = front;
  blocks_.erase(back->data);
  return front;
}

void* CachingAllocator::allocate(size_t bytes, const Stream& stream) {
  const size_t size = caching_ ? rounded(bytes) : std::max<size_t>(bytes, 1);
  const std::lock_guard lock(mutex_);
  const void* const owner = owner_on(stream);
  const Shelf shelf{owner, is_small(size, owner)};
  Block* block = caching_ ? find_free(size, shelf) : nullptr;
  if (block == nullptr && caching_) block = grow_arena(size, owner);
  if (block == nullptr) block = new_segment(size, shelf);
  if (block == nullptr && shelf.second) {
    block = find_free(size, {owner, false});  // of a large segment: better than none
  }
  if (block == nullptr) {
    throw OutOfMemory(str(device_, ": no memory for ", size, " bytes: ", stats_.in_use_bytes,
                          " bytes are in use", cap_ > 0 ? str(", the cap is ", cap_) : ""));
  }
  block->free = false;
  split(block, size);
  stats_.in_use_bytes += block->bytes;
  stats_.peak_in_use_bytes = std::max(stats_.peak_in_use_bytes, stats_.in_use_bytes);
  return block->data;
}

void CachingAllocator::free(void* data) noexcept {
  const std::lock_guard lock(mutex_);
  Block* block = blocks_.at(data).get();
  stats_.in_use_bytes -= block->bytes;
  if (!caching_) {
    stats_.held_bytes -= block->bytes;
    blocks_.erase(data);
    runtime_.free(device_.index, data);
    return;
  }
  FreeBlocks& blocks = beside(block);
  if (block->behind != nullptr && block->behind->free) {
    blocks.erase(block->behind);
    block = join(block, block->behind);
  }
  if (block->before != nullptr && block->before->free) {
    blocks.erase(block->before);
    block = join(block->before, block);
  }
  block->free = true;
  blocks.insert(block);
}

const void* CachingAllocator::owner_on(const Stream& stream) const {
  const auto pool = pools_.find(stream.native());
  return pool == pools_.end() ? stream.native() : pool->second;
}

void CachingAllocator::begin_pool(const void* pool, const Stream& stream) {
  check(caching_,
        "allocator: recorded work needs the caching allocator, and BURIN_ALLOCATOR=plain ",
        "turns it off");
  const std::lock_guard lock(mutex_);
  check(pools_.try_emplace(stream.native(), pool).second,
        "allocator: a pool is being filled on this stream already");
  kept_.insert(pool);
}

void CachingAllocator::end_pool(const Stream& stream) {
  const std::lock_guard lock(mutex_);
  pools_.erase(stream.native());
}

void CachingAllocator::dissolve_pool(const void* pool, const Stream& stream) {
  const std::lock_guard lock(mutex_);
  for (const auto& [data, block] : blocks_) {
    if (block->stream == pool) block->stream = stream.native();
  }
  for (const bool of_small : {false, true}) {
    free_[{stream.native(), of_small}].merge(free_[{pool, of_small}]);
    free_.erase({pool, of_small});
  }
  kept_.erase(pool);
}

void CachingAllocator::set_cap(size_t bytes) {
  const std::lock_guard lock(mutex_);
  cap_ = bytes;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  release_cached_locked();
}

void CachingAllocator::trim(Arena& arena) {
  Block* const last = arena.end.before;
  if (last == nullptr || !last->free) return;
  if (!arena.memory->resize(static_cast<size_t>(last->data - arena.memory->data()))) return;
  stats_.held_bytes -= last->bytes;
  beside(last).erase(last);
  arena.end.data = last->data;
  arena.end.before = last->before;
  if (last->before != nullptr) last->before->behind = &arena.end;
  blocks_.erase(last->data);
}

void CachingAllocator::release_cached_locked() {
  if (!pools_.empty()) return;  // what is being recorded forbids it (DeviceRuntime)
  for (auto& [stream, arena] : arenas_) trim(arena);
  for (auto& [shelf, blocks] : free_) {
    if (kept_.contains(shelf.first)) continue;
    for (auto at = blocks.begin(); at != blocks.end();) {
      Block* const block = *at;
      const bool whole_segment = block->before == nullptr && block->behind == nullptr;
      if (!whole_segment) {
        ++at;
        continue;
      }
      at = blocks.erase(at);
      stats_.held_bytes -= block->bytes;
      void* const data = block->data;
      blocks_.erase(data);
      runtime_.free(device_.index, data);
    }
  }
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
  for (const auto& [shelf, blocks] : free_) {
    int shown = 0;
    for (auto block = blocks.rbegin(); block != blocks.rend() && shown < 5; ++block, ++shown) {
      text += str("  free: a block of ", in_mib((*block)->bytes), " MiB\n");
    }
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
