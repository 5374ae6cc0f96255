#pragma once

#include <array>
#include <deque>
#include <memory>
#include <new>
#include <vector>

#include "burin/kernels/base/error.h"
#include "burin/kernels/emulator/fiber.h"
#include "burin/kernels/emulator/observer.h"

namespace burin::emulator {

/// One CUDA thread in the middle of its work.
struct BlockThread {
  uint3 index{};
  int number = 0;  // in its block
  Fiber* fiber = nullptr;
  const char* waits_at = nullptr;  // null: running or done
  Where where{};
  unsigned mask = 0;
  void* slot = nullptr;
  bool done = false;
  bool waited_for_launch = false;
  std::vector<AsyncCopy> copies;                 // not yet waited for
  std::vector<size_t> copies_a_group;            // of the groups committed and not waited for
  std::vector<BackgroundWork> open_work;         // not yet committed
  std::deque<std::vector<BackgroundWork>> work;  // the groups not yet waited for

  void begin(bool may_overlap);
};

/// One block in the middle of its work: its threads, what they wait for, its shared memory.
struct Block {
  uint3 index{};
  std::vector<BlockThread> threads;  // at least as many as the block has
  int started = 0, done = 0, at_barrier = 0, at_cluster_barrier = 0;
  int votes = 0, vote_result = 0;
  Where barrier_where{};
  std::array<unsigned, 32> ready{};    // threads that can go on: one bit a lane, one word a warp
  unsigned ready_warps = 0;            // warps that have one
  std::array<unsigned, 32> waiting{};  // lanes at a warp exchange
  std::array<unsigned short, 32> warp_interval{};
  int read_by_others_in = -1;  // between which barriers of the cluster; -1: never

  struct FreeAligned {
    void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t{128}); }
  };
  std::unique_ptr<char[], FreeAligned> shared;  // aligned as a GPU's
  size_t shared_bytes = 0;

  /// A buffer of exactly this size: ASan sees what reaches beyond it.
  void resize_shared(size_t bytes);
  /// Forgets what the last block left. Shared memory becomes garbage: NaN.
  void begin(uint3 at, int thread_count, bool may_overlap);
  void set_ready(int warp, unsigned lanes);
  void set_all_ready(int thread_count);
  void set_running(int thread);
  bool is_ready(int thread) const {
    return (ready[static_cast<size_t>(thread / 32)] >> (thread % 32) & 1) != 0;
  }
};

}  // namespace burin::emulator
