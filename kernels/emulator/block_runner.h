#pragma once

#include <array>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "burin/kernels/emulator/dialect/launch.h"
#include "burin/kernels/emulator/fiber.h"
#include "burin/kernels/emulator/observer.h"
#include "burin/kernels/emulator/order.h"

namespace burin::emulator {

/// Runs one block at a time: one CUDA thread = one fiber.
///
/// A fiber runs CUDA threads one after another until one of them has to wait, so a kernel without
/// barriers is a plain loop with no switch at all. A thread that waits switches straight to the
/// next one that can run.
class BlockRunner {
 public:
  /// Before the blocks of a launch: whether it may overlap the one before.
  void begin_launch(bool overlaps) { overlaps_ = overlaps; }
  /// Runs `thread` once for each thread of the block. Throws what a thread throws, and KernelError
  /// where the block can't go on.
  void run(const cudaLaunchConfig_t& config, uint3 block, Order order,
           const std::function<void()>& thread);

  void barrier(const char* what, const Where& where);
  int barrier_count(const char* what, bool predicate, const Where& where);
  void warp_exchange(unsigned mask, const char* what, const Where& where, void* slot,
                     void (*exchange)(void**, unsigned));
  void wait_for_launch_before() { current_->waited_for_launch = true; }
  void let_next_launch_begin(const Where& where);
  int lane() const { return current_->number % 32; }
  void* shared_memory() const { return shared_.get(); }

  void copy_async(const AsyncCopy& copy);
  void copy_async_commit();
  void copy_async_wait(size_t groups);
  void background(const void* work, size_t bytes, void (*f)(void*));
  void background_commit();
  void background_wait(size_t groups);

  /// For the race check: where the running thread is.
  Observation observe() const;
  bool running() const { return current_ != nullptr; }
  bool on_a_stack(const void* address) const { return stacks_.contains(address); }
  unsigned interval() const { return interval_; }

 private:
  struct Thread {
    uint3 index{};
    int number = 0;
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
  };

  void prepare(const cudaLaunchConfig_t& config, Order order);
  void reset_fibers();
  void reset_block();
  Fiber& next();
  int next_ready();
  void switch_to(Fiber& from, Fiber& to);
  void wait(const char* what, const Where& where);
  void release_barrier();
  void set_ready(int warp, unsigned lanes);
  [[noreturn]] void fiber_loop();
  static void fiber_entry();
  void run_thread(Fiber* fiber);
  void gather_slots(void** slots, int warp, unsigned mask, const char* what);
  [[noreturn]] void fail_here(const char* what, const Where& where, const std::string& why);
  std::string where_everyone_is() const;

  std::vector<Thread> threads_;
  std::vector<Fiber> fibers_;
  std::vector<Fiber*> free_fibers_;
  std::vector<int> start_order_;
  FiberStacks stacks_;
  Fiber main_;
  Fiber* running_ = nullptr;
  Thread* current_ = nullptr;
  const std::function<void()>* thread_ = nullptr;
  std::exception_ptr error_;

  struct FreeAligned {
    void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t{128}); }
  };
  std::unique_ptr<char[], FreeAligned> shared_;  // aligned as a GPU's
  size_t shared_bytes_ = 0;
  bool overlaps_ = false;
  int count_ = 0, started_ = 0, done_ = 0, at_barrier_ = 0;
  int votes_ = 0, vote_result_ = 0;
  Where barrier_where_{};
  std::array<unsigned, 32> ready_{};    // threads that can go on: one bit a lane, one word a warp
  unsigned ready_warps_ = 0;            // warps that have one
  std::array<unsigned, 32> waiting_{};  // lanes at a warp exchange
  Order order_ = Order::forward;
  std::minstd_rand random_;

  unsigned interval_ = 1;        // changes at each barrier and each block
  unsigned first_interval_ = 1;  // of this block
  std::array<unsigned short, 32> warp_interval_{};
};

/// The one that runs kernels: there is one emulated device, and it runs one block at a time.
BlockRunner& block_runner();

}  // namespace burin::emulator
