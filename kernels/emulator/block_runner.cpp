#include "burin/kernels/emulator/block_runner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "burin/kernels/emulator/limits.h"
#include "burin/kernels/emulator/place.h"

namespace burin::emulator {
namespace {

unsigned lane_bit(int number) {
  return 1u << (number % 32);
}

bool same(const char* a, const char* b) {
  return a == b || std::strcmp(a, b) == 0;
}

}  // namespace

BlockRunner& block_runner() {
  static BlockRunner runner;
  return runner;
}

void BlockRunner::reset_fibers() {
  const size_t count = std::max<size_t>(max_threads, cluster_size_ * static_cast<size_t>(count_));
  stacks_.reserve(std::max(count, fibers_.size()));
  fibers_.resize(std::max(count, fibers_.size()));
  free_fibers_.clear();
  for (size_t i = fibers_.size(); i-- > 0;) {
    stacks_.assign(fibers_[i], i);
    free_fibers_.push_back(&fibers_[i]);
  }
}

void BlockRunner::prepare_threads(Block& block) const {
  block.threads.resize(std::max<size_t>(block.threads.size(), static_cast<size_t>(count_)));
  for (unsigned i = 0; i < static_cast<unsigned>(count_); ++i) {
    block.threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y,
                              i / blockDim.x / blockDim.y};
    block.threads[i].number = static_cast<int>(i);
  }
}

void BlockRunner::prepare(const cudaLaunchConfig_t& config, size_t cluster_size, Order order) {
  gridDim = {config.gridDim.x, config.gridDim.y, config.gridDim.z};
  const dim3 block = config.blockDim;
  const bool as_before = cluster_size <= prepared_blocks_ && order_ == order &&
                         order != Order::shuffled && blockDim.x == block.x &&
                         blockDim.y == block.y && blockDim.z == block.z;
  cluster_size_ = cluster_size;
  if (!as_before) {
    count_ = static_cast<int>(block.x * block.y * block.z);
    blockDim = {block.x, block.y, block.z};
    order_ = order;
    blocks_.resize(std::max(blocks_.size(), cluster_size));
    for (size_t rank = 0; rank < cluster_size; ++rank) prepare_threads(blocks_[rank]);
    prepared_blocks_ = cluster_size;
    start_order_.resize(static_cast<size_t>(count_));
    std::iota(start_order_.begin(), start_order_.end(), 0);
    if (order == Order::reverse) std::reverse(start_order_.begin(), start_order_.end());
    if (order == Order::shuffled) std::shuffle(start_order_.begin(), start_order_.end(), random_);
  }
  if (fibers_.size() < std::max<size_t>(1, cluster_size * static_cast<size_t>(count_))) {
    reset_fibers();
  }
  for (size_t rank = 0; rank < cluster_size; ++rank) {
    blocks_[rank].resize_shared(config.dynamicSmemBytes);
  }
}

void BlockRunner::run(const cudaLaunchConfig_t& config, std::span<const uint3> cluster, Order order,
                      const std::function<void()>& thread) {
  prepare(config, cluster.size(), order);
  thread_ = &thread;
  for (size_t rank = 0; rank < cluster_size_; ++rank) {
    blocks_[rank].begin(cluster[rank], count_, overlaps_);
  }
  first_interval_ = interval_ + 1;
  int ended = 0;
  for (phase_ = 0; ended == 0; ++phase_) {
    phase_interval_ = interval_ + 1;
    for (size_t i = 0; i < cluster_size_; ++i) {
      run_until_barrier(order == Order::forward ? i : cluster_size_ - 1 - i);
      if (block_->done == count_) ++ended;
    }
  }
  check_end_of_phase(ended);
}

/// Lets the threads of a block run until all of them are at the cluster's barrier, or done.
void BlockRunner::run_until_barrier(size_t rank) {
  block_ = &blocks_[rank];
  blockIdx = block_->index;
  block_interval_ = ++interval_;
  if (block_->at_cluster_barrier > 0) block_->set_all_ready(count_);
  block_->at_cluster_barrier = 0;
  current_ = block_->threads.data();
  Fiber& first = next();
  switch_to(main_, first);
  current_ = nullptr;
  const bool all_wait = block_->at_cluster_barrier == count_;
  if (error_ == nullptr && (block_->done == count_ || all_wait)) return;

  const std::exception_ptr error = std::exchange(error_, nullptr);
  const std::string why = error == nullptr ? where_everyone_is() : "";
  reset_fibers();  // abandons the stacks of the threads that wait
  if (error != nullptr) std::rethrow_exception(error);
  throw KernelError(why);
}

/// Behind the last barrier of a cluster nobody may read the shared memory of a block that can be
/// gone, and nobody may wait.
void BlockRunner::check_end_of_phase(int ended) {
  for (size_t rank = 0; rank < cluster_size_; ++rank) {
    const Block& block = blocks_[rank];
    if (block.read_by_others_in == phase_ - 1) {
      throw KernelError(str("block ", place(block.index),
                            " may have ended while others of its cluster read its shared memory: "
                            "no cluster.sync() behind that"));
    }
    if (block.done < count_ && ended > 0) {
      block_ = &blocks_[rank];
      blockIdx = block.index;
      const std::string why = where_everyone_is();
      reset_fibers();
      throw KernelError(str("blocks of one ", cooperative_ ? "grid" : "cluster",
                            " have ended, others wait for it\n", why));
    }
  }
}

/// A thread that can go on, of this warp if there is one.
int BlockRunner::next_ready() {
  int warp = current_->number / 32;
  if (order_ == Order::shuffled) warp = static_cast<int>(random_() % 32);
  if (order_ == Order::reverse) {
    warp = 31 - std::countl_zero(block_->ready_warps);
  } else {
    warp = (warp + std::countr_zero(std::rotr(block_->ready_warps, warp))) % 32;
  }
  const unsigned lanes = block_->ready[static_cast<size_t>(warp)];
  int lane = order_ == Order::reverse ? 31 - std::countl_zero(lanes) : std::countr_zero(lanes);
  if (order_ == Order::shuffled) {
    const int turn = static_cast<int>(random_() % 32);
    lane = (turn + std::countr_zero(std::rotr(lanes, turn))) % 32;
  }
  block_->set_running(warp * 32 + lane);
  return warp * 32 + lane;
}

/// Who runs next: a thread that can go on, else one not yet started (on a fresh fiber), else the OS
/// thread's stack: the block is done, or stuck.
Fiber& BlockRunner::next() {
  if (block_->ready_warps != 0) return *block_->threads[static_cast<size_t>(next_ready())].fiber;
  if (block_->started == count_) return main_;
  Fiber* const fiber = free_fibers_.back();
  free_fibers_.pop_back();
  return *fiber;
}

void BlockRunner::switch_to(Fiber& from, Fiber& to) {
  if (to.stack_pointer == nullptr) begin_fiber(to, &BlockRunner::fiber_entry);
  running_ = &to;
  switch_fiber(from, to);
}

void BlockRunner::fiber_entry() {
  BlockRunner& self = block_runner();
  fiber_begun(self.main_);
  self.fiber_loop();
}

void BlockRunner::fiber_loop() {
  Fiber* const me = running_;
  for (;;) {
    while (block_->started < count_ && block_->ready_warps == 0) run_thread(me);
    Fiber& to = next();
    free_fibers_.push_back(me);
    switch_to(*me, to);
  }
}

void BlockRunner::run_thread(Fiber* fiber) {
  BlockThread& thread =
      block_->threads[static_cast<size_t>(start_order_[static_cast<size_t>(block_->started++)])];
  thread.fiber = fiber;
  current_ = &thread;
  threadIdx = thread.index;
  try {
    (*thread_)();
    if (!current_->waited_for_launch) {
      throw KernelError(str("block ", place(blockIdx), " thread ", place(current_->index),
                            " returned without cudaGridDependencySynchronize()"));
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  if (error_ != nullptr) switch_to(*fiber, main_);
  // Whether the others may still wait for this thread is decided when nothing else can run.
  current_->done = true;
  ++block_->done;
}

void BlockRunner::abandon(const std::exception_ptr& error) {
  error_ = error;
  switch_to(*current_->fiber, main_);
  __builtin_unreachable();  // nothing switches back to a block that failed
}

void BlockRunner::wait(const char* what, const Where& where) {
  BlockThread& me = *current_;
  me.waits_at = what;
  me.where = where;
  switch_to(*me.fiber, next());
  me.waits_at = nullptr;
  current_ = &me;
  threadIdx = me.index;
}

void BlockRunner::release_barrier() {
  block_->set_all_ready(count_);
  block_->set_running(current_->number);
  block_->at_barrier = 0;
  block_->vote_result = std::exchange(block_->votes, 0);
  ++interval_;
}

void BlockRunner::cluster_barrier(const char* what, const Where& where) {
  ++block_->at_cluster_barrier;
  wait(what, where);
}

void BlockRunner::grid_barrier(const char* what, const Where& where) {
  if (!cooperative_) fail_here(what, where, "the launch is not cooperative");
  cluster_barrier(what, where);
}

void* BlockRunner::shared_of_block(const void* shared, unsigned rank, const Where& where) {
  const char* const what = "cluster.map_shared_rank()";
  if (rank >= cluster_size_) fail_here(what, where, "the cluster has no block of that rank");
  const auto offset = static_cast<const char*>(shared) - block_->shared.get();
  if (offset < 0 || static_cast<size_t>(offset) >= block_->shared_bytes) {
    fail_here(what, where, "the address is not of the block's dynamic shared memory");
  }
  Block& other = blocks_[rank];
  if (&other != block_) {
    if (phase_ == 0) {
      fail_here(what, where, "before a cluster.sync() that block may not have begun");
    }
    other.read_by_others_in = phase_;
  }
  return other.shared.get() + offset;
}

void BlockRunner::barrier(const char* what, const Where& where) {
  if (block_->at_barrier++ == 0) block_->barrier_where = where;
  if (where.line != block_->barrier_where.line || !same(where.file, block_->barrier_where.file)) {
    fail_here(what, where, "threads of one block wait at different barriers");
  }
  if (block_->at_barrier < count_) return wait(what, where);
  release_barrier();
}

void BlockRunner::let_next_launch_begin(const Where& where) {
  if (current_->waited_for_launch) return;
  fail_here("cudaTriggerProgrammaticLaunchCompletion()", where,
            "the next launch may begin before this one has waited for the launch before");
}

int BlockRunner::barrier_count(const char* what, bool predicate, const Where& where) {
  block_->votes += predicate ? 1 : 0;
  barrier(what, where);
  return block_->vote_result;
}

void BlockRunner::gather_slots(void** slots, int warp, unsigned mask, const char* what) {
  for (int lane = 0; lane < 32; ++lane) {
    slots[lane] = nullptr;
    if ((mask & lane_bit(lane)) == 0) continue;
    const int number = warp * 32 + lane;
    const BlockThread& thread = block_->threads[static_cast<size_t>(number)];
    if (&thread != current_ && (thread.mask != mask || !same(thread.waits_at, what))) {
      fail_here(what, current_->where, "lanes of one warp wait at different warp functions");
    }
    slots[lane] = thread.slot;
  }
}

void BlockRunner::warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                                void (*exchange)(void**, unsigned)) {
  BlockThread& me = *current_;
  const int warp = me.number / 32;
  const int lanes = std::min(32, count_ - warp * 32);
  if (lanes < 32) mask &= (1u << lanes) - 1;  // the last warp of a block may be short
  if ((mask & lane_bit(me.number)) == 0) {
    fail_here(what, where, "the mask leaves out the lane that calls");
  }
  me.slot = slot;
  me.mask = mask;
  me.where = where;
  unsigned& waiting = block_->waiting[static_cast<size_t>(warp)];
  waiting |= lane_bit(me.number);
  if ((waiting & mask) != mask) return wait(what, where);

  void* slots[32];
  gather_slots(slots, warp, mask, what);
  waiting &= ~mask;
  ++block_->warp_interval[static_cast<size_t>(warp)];
  exchange(slots, mask);
  block_->set_ready(warp, mask & ~lane_bit(me.number));
}

}  // namespace burin::emulator
