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
  fibers_.resize(max_threads);
  free_fibers_.clear();
  for (size_t i = fibers_.size(); i-- > 0;) {
    stacks_.assign(fibers_[i], i);
    free_fibers_.push_back(&fibers_[i]);
  }
}

void BlockRunner::prepare(const cudaLaunchConfig_t& config, Order order) {
  if (fibers_.empty()) reset_fibers();
  gridDim = {config.gridDim.x, config.gridDim.y, config.gridDim.z};
  // A buffer of exactly this size: ASan sees what reaches beyond it.
  if (shared_bytes_ != config.dynamicSmemBytes || shared_ == nullptr) {
    shared_bytes_ = config.dynamicSmemBytes;
    shared_.reset(static_cast<char*>(::operator new[](shared_bytes_, std::align_val_t{128})));
  }
  const dim3 block = config.blockDim;
  const bool as_before = count_ > 0 && order_ == order && order != Order::shuffled &&
                         blockDim.x == block.x && blockDim.y == block.y && blockDim.z == block.z;
  if (as_before) return;
  count_ = static_cast<int>(block.x * block.y * block.z);
  threads_.resize(std::max<size_t>(threads_.size(), static_cast<size_t>(count_)));
  for (unsigned i = 0; i < static_cast<unsigned>(count_); ++i) {
    threads_[i].index = {i % block.x, i / block.x % block.y, i / block.x / block.y};
    threads_[i].number = static_cast<int>(i);
  }
  blockDim = {block.x, block.y, block.z};
  order_ = order;
  start_order_.resize(static_cast<size_t>(count_));
  std::iota(start_order_.begin(), start_order_.end(), 0);
  if (order == Order::reverse) std::reverse(start_order_.begin(), start_order_.end());
  if (order == Order::shuffled) std::shuffle(start_order_.begin(), start_order_.end(), random_);
}

void BlockRunner::reset_block() {
  started_ = done_ = at_barrier_ = votes_ = 0;
  ready_warps_ = 0;
  waiting_.fill(0);
  for (int i = 0; i < count_; ++i) {
    Thread& thread = threads_[static_cast<size_t>(i)];
    thread.done = false;
    thread.waited_for_launch = !overlaps_;
    thread.waits_at = nullptr;
    thread.copies.clear();
    thread.copies_a_group.clear();
    thread.open_work.clear();
    thread.work.clear();
  }
  first_interval_ = ++interval_;
  std::memset(shared_.get(), 0xff, shared_bytes_);  // NaN: shared memory begins as garbage
}

void BlockRunner::run(const cudaLaunchConfig_t& config, uint3 block, Order order,
                      const std::function<void()>& thread) {
  prepare(config, order);
  blockIdx = block;
  thread_ = &thread;
  reset_block();
  Fiber* const first = free_fibers_.back();
  free_fibers_.pop_back();
  switch_to(main_, *first);
  current_ = nullptr;
  if (done_ == count_ && error_ == nullptr) return;

  const std::exception_ptr error = std::exchange(error_, nullptr);
  const std::string why = error == nullptr ? where_everyone_is() : "";
  reset_fibers();  // abandons the stacks of the threads that wait
  if (error != nullptr) std::rethrow_exception(error);
  throw KernelError(why);
}

/// A thread that can go on, of this warp if there is one.
int BlockRunner::next_ready() {
  int warp = current_->number / 32;
  if (order_ == Order::shuffled) warp = static_cast<int>(random_() % 32);
  if (order_ == Order::reverse) {
    warp = 31 - std::countl_zero(ready_warps_);
  } else {
    warp = (warp + std::countr_zero(std::rotr(ready_warps_, warp))) % 32;
  }
  unsigned& lanes = ready_[static_cast<size_t>(warp)];
  int lane = order_ == Order::reverse ? 31 - std::countl_zero(lanes) : std::countr_zero(lanes);
  if (order_ == Order::shuffled) {
    const int turn = static_cast<int>(random_() % 32);
    lane = (turn + std::countr_zero(std::rotr(lanes, turn))) % 32;
  }
  lanes &= ~lane_bit(lane);
  if (lanes == 0) ready_warps_ &= ~lane_bit(warp);
  return warp * 32 + lane;
}

/// Who runs next: a thread that can go on, else one not yet started (on a fresh fiber), else the OS
/// thread's stack: the block is done, or stuck.
Fiber& BlockRunner::next() {
  if (ready_warps_ != 0) return *threads_[static_cast<size_t>(next_ready())].fiber;
  if (started_ == count_) return main_;
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
    while (started_ < count_ && ready_warps_ == 0) run_thread(me);
    Fiber& to = next();
    free_fibers_.push_back(me);
    switch_to(*me, to);
  }
}

void BlockRunner::run_thread(Fiber* fiber) {
  Thread& thread = threads_[static_cast<size_t>(start_order_[static_cast<size_t>(started_++)])];
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
  ++done_;
}

void BlockRunner::wait(const char* what, const Where& where) {
  Thread& me = *current_;
  me.waits_at = what;
  me.where = where;
  switch_to(*me.fiber, next());
  me.waits_at = nullptr;
  current_ = &me;
  threadIdx = me.index;
}

void BlockRunner::set_ready(int warp, unsigned lanes) {
  ready_[static_cast<size_t>(warp)] |= lanes;
  if (lanes != 0) ready_warps_ |= lane_bit(warp);
}

void BlockRunner::release_barrier() {
  for (int warp = 0; warp * 32 < count_; ++warp) {
    const int lanes = std::min(32, count_ - warp * 32);
    unsigned all = lanes == 32 ? ~0u : (1u << lanes) - 1;
    if (warp == current_->number / 32) all &= ~lane_bit(current_->number);
    set_ready(warp, all);
  }
  at_barrier_ = 0;
  vote_result_ = std::exchange(votes_, 0);
  ++interval_;
}

void BlockRunner::barrier(const char* what, const Where& where) {
  if (at_barrier_++ == 0) barrier_where_ = where;
  if (where.line != barrier_where_.line || !same(where.file, barrier_where_.file)) {
    fail_here(what, where, "threads of one block wait at different barriers");
  }
  if (at_barrier_ < count_) return wait(what, where);
  release_barrier();
}

void BlockRunner::let_next_launch_begin(const Where& where) {
  if (current_->waited_for_launch) return;
  fail_here("cudaTriggerProgrammaticLaunchCompletion()", where,
            "the next launch may begin before this one has waited for the launch before");
}

int BlockRunner::barrier_count(const char* what, bool predicate, const Where& where) {
  votes_ += predicate ? 1 : 0;
  barrier(what, where);
  return vote_result_;
}

void BlockRunner::gather_slots(void** slots, int warp, unsigned mask, const char* what) {
  for (int lane = 0; lane < 32; ++lane) {
    slots[lane] = nullptr;
    if ((mask & lane_bit(lane)) == 0) continue;
    const int number = warp * 32 + lane;
    const Thread& thread = threads_[static_cast<size_t>(number)];
    if (&thread != current_ && (thread.mask != mask || !same(thread.waits_at, what))) {
      fail_here(what, current_->where, "lanes of one warp wait at different warp functions");
    }
    slots[lane] = thread.slot;
  }
}

void BlockRunner::warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                                void (*exchange)(void**, unsigned)) {
  Thread& me = *current_;
  const int warp = me.number / 32;
  const int lanes = std::min(32, count_ - warp * 32);
  if (lanes < 32) mask &= (1u << lanes) - 1;  // the last warp of a block may be short
  if ((mask & lane_bit(me.number)) == 0) {
    fail_here(what, where, "the mask leaves out the lane that calls");
  }
  me.slot = slot;
  me.mask = mask;
  me.where = where;
  unsigned& waiting = waiting_[static_cast<size_t>(warp)];
  waiting |= lane_bit(me.number);
  if ((waiting & mask) != mask) return wait(what, where);

  void* slots[32];
  gather_slots(slots, warp, mask, what);
  waiting &= ~mask;
  ++warp_interval_[static_cast<size_t>(warp)];
  exchange(slots, mask);
  set_ready(warp, mask & ~lane_bit(me.number));
}

}  // namespace burin::emulator
