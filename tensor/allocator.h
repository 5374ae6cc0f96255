#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
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

/// Takes memory from the device and cuts it into blocks, so that a training loop reaches the
/// device's allocator in its first steps only. The smallest free block that is large enough serves
/// a request and is split; a freed one is joined with free neighbours. Free blocks belong to the
/// stream they were freed on: that stream's order makes reuse safe without waiting. Thread-safe.
///
/// Where the device has memory that grows (the CPU), each stream's lies in one piece, its arena:
/// any two neighbours that are free become one, and little is lost between blocks. Elsewhere, and
/// in pools, memory comes in segments; small requests have their own, or one of them would keep a
/// large segment from the device.
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
  void free(void* data) noexcept;

  /// From now on what is asked for on `stream` comes from a pool of its own, known by any address:
  /// a recorded step writes there at each replay, so nobody else may be served from it.
  void begin_pool(const void* pool, const Stream& stream);
  void end_pool(const Stream& stream);
  /// Makes the pool's memory ordinary memory of `stream`, when it is replayed no more.
  void dissolve_pool(const void* pool, const Stream& stream);

  /// Limit for held_bytes; 0 means none.
  void set_cap(size_t bytes);
  /// Gives every segment that is wholly free, and what is free at the end of an arena, back to the
  /// device.
  void release_cached();

  AllocatorStats stats() const;
  /// Starts a new phase: the peaks become what is held now.
  void reset_peak();
  /// A few lines for people: in use, held, peaks, and the largest free blocks.
  std::string report() const;

 private:
  /// A part of a segment or an arena. Neighbours in memory are linked.
  struct Block {
    std::byte* data;
    size_t bytes;
    const void* stream;     // whose work may use it, or a pool
    bool of_small = false;  // in a segment for small requests
    bool free = false;
    Block* before = nullptr;
    Block* behind = nullptr;
  };
  struct SmallerFirst {
    bool operator()(const Block* a, const Block* b) const {
      return a->bytes != b->bytes ? a->bytes < b->bytes : a->data < b->data;
    }
  };
  struct Arena {
    std::unique_ptr<GrowingMemory> memory;  // or null: the device has none, or refused
    Block end;                              // of no bytes, behind the last block; never free
  };
  using FreeBlocks = std::set<Block*, SmallerFirst>;
  using Shelf = std::pair<const void*, bool>;  // a Block's stream and of_small

  const void* owner_on(const Stream& stream) const;
  bool is_small(size_t bytes, const void* stream) const;
  FreeBlocks& beside(const Block* block) { return free_[{block->stream, block->of_small}]; }
  Block* find_free(size_t bytes, const Shelf& shelf);
  Block* grow_arena(size_t bytes, const void* stream);
  Block* new_segment(size_t bytes, const Shelf& shelf);
  Block* add_block(std::byte* data, size_t bytes, const Shelf& shelf);
  void split(Block* block, size_t bytes);
  Block* join(Block* front, Block* back);
  void release_cached_locked();
  void trim(Arena& arena);
  bool over_cap(size_t more) const { return cap_ > 0 && stats_.held_bytes + more > cap_; }

  Device device_;
  DeviceRuntime& runtime_;
  bool caching_;
  size_t cap_ = 0;
  mutable std::mutex mutex_;
  std::map<Shelf, FreeBlocks> free_;
  std::map<const void*, Arena> arenas_;                             // by stream
  std::map<const void*, const void*> pools_;                        // by stream, while they fill
  std::set<const void*> kept_;                                      // pools that are still replayed
  std::unordered_map<const void*, std::unique_ptr<Block>> blocks_;  // by address
  AllocatorStats stats_;
};

/// The allocator of a device. Shared by all threads, lives as long as any storage does.
std::shared_ptr<CachingAllocator> allocator_of(Device device);

}  // namespace burin
