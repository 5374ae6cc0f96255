#pragma once

#include <exception>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "burin/kernels/emulator/block.h"
#include "burin/kernels/emulator/dialect/launch.h"
#include "burin/kernels/emulator/fiber.h"
#include "burin/kernels/emulator/observer.h"
#include "burin/kernels/emulator/order.h"

namespace burin::emulator {

/// Runs the blocks of a cluster, most often one, or of a whole grid that is launched to wait for
/// itself ("cooperative"): for both the word here is cluster. One CUDA thread = one fiber.
///
/// A fiber runs CUDA threads one after another until one of them has to wait, so a kernel without
/// barriers is a plain loop with no switch at all. A thread that waits switches straight to the
/// next one of its block that can run. The blocks of a cluster take turns: each runs until all its
/// threads are at the cluster's barrier.
class BlockRunner {
 public:
  /// Before the blocks of a launch: whether it may overlap the one before, and whether the blocks
  /// that are run together are all of them.
  void begin_launch(bool overlaps, bool cooperative) {
    overlaps_ = overlaps;
    cooperative_ = cooperative;
  }
  /// Runs `thread` once for each thread of the blocks of a cluster, which are in the order of their
  /// ranks. Throws what a thread throws, and KernelError where a block can't go on.
  void run(const cudaLaunchConfig_t& config, std::span<const uint3> cluster, Order order,
           const std::function<void()>& thread);

  void barrier(const char* what, const Where& where);
  int barrier_count(const char* what, bool predicate, const Where& where);
  void warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                     void (*exchange)(void**, unsigned));
  /// Stops the thread where it is; run() throws the error.
  [[noreturn]] void abandon(const std::exception_ptr& error);
  void wait_for_launch_before() { current_->waited_for_launch = true; }
  void let_next_launch_begin(const Where& where);
  int lane() const { return current_->number % 32; }
  void* shared_memory() const { return block_->shared.get(); }

  void cluster_barrier(const char* what, const Where& where);
  void grid_barrier(const char* what, const Where& where);
  unsigned cluster_rank() const { return static_cast<unsigned>(block_ - blocks_.data()); }
  unsigned cluster_size() const { return static_cast<unsigned>(cluster_size_); }
  /// Where the block of that rank has what this block has at `shared`.
  void* shared_of_block(const void* shared, unsigned rank, const Where& where);

  void copy_async(const AsyncCopy& copy);
  void copy_async_commit();
  void copy_async_wait(size_t groups);
  void background(const void* work, size_t bytes, void (*f)(void*));
  void background_commit();
  void background_wait(size_t groups);

  /// For the race check: where the running thread is.
  Observation observe(const void* address) const;
  bool running() const { return current_ != nullptr; }
  bool on_a_stack(const void* address) const { return stacks_.contains(address); }
  unsigned interval() const { return interval_; }

 private:
  void prepare(const cudaLaunchConfig_t& config, size_t cluster_size, Order order);
  void prepare_threads(Block& block) const;
  void reset_fibers();
  void run_until_barrier(size_t rank);
  void check_end_of_phase(int ended);
  Fiber& next();
  int next_ready();
  void switch_to(Fiber& from, Fiber& to);
  void wait(const char* what, const Where& where);
  void release_barrier();
  [[noreturn]] void fiber_loop();
  static void fiber_entry();
  void run_thread(Fiber* fiber);
  void gather_slots(void** slots, int warp, unsigned mask, const char* what);
  [[noreturn]] void fail_here(const char* what, const Where& where, const std::string& why);
  std::string where_everyone_is() const;

  std::vector<Block> blocks_;  // of the cluster, in the order of ranks; at least as many
  size_t cluster_size_ = 1;
  Block* block_ = nullptr;
  BlockThread* current_ = nullptr;
  int phase_ = 0;  // how many barriers the cluster has passed

  std::vector<Fiber> fibers_;
  std::vector<Fiber*> free_fibers_;
  std::vector<int> start_order_;
  FiberStacks stacks_;
  Fiber main_;
  Fiber* running_ = nullptr;
  const std::function<void()>* thread_ = nullptr;
  std::exception_ptr error_;

  bool overlaps_ = false, cooperative_ = false;
  int count_ = 0;  // threads of a block
  size_t prepared_blocks_ = 0;
  Order order_ = Order::forward;
  std::minstd_rand random_;

  unsigned interval_ = 1;        // changes at each barrier and each block
  unsigned first_interval_ = 1;  // of this cluster
  unsigned phase_interval_ = 1;  // the first behind the cluster's barrier
  unsigned block_interval_ = 1;  // the first of the block behind that
};

/// The one that runs kernels: there is one emulated device, and it runs one cluster at a time.
BlockRunner& block_runner();

}  // namespace burin::emulator
