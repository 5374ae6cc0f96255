#pragma once

#include <cstddef>

namespace burin::emulator {

/// A stack with a thread of control on it. Switching saves the callee-saved registers on the
/// current stack and continues on the other one: 11 ns, where ucontext's system calls take 200.
struct Fiber {
  void* stack_pointer = nullptr;  // null: not begun
  char* bottom = nullptr;         // lowest usable byte
  char* top = nullptr;
  void* fake_stack = nullptr;  // ASan's
};

/// Prepares `fiber` so that the first switch to it calls `entry`, which never returns.
void begin_fiber(Fiber& fiber, void (*entry)());

/// Goes on in `to`; returns when something switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

/// What a new fiber calls first: tells ASan where it came from. `main` is the stack of the OS
/// thread.
void fiber_begun(Fiber& main);

/// Stacks for as many fibers as a cluster has threads, with guard pages between them.
class FiberStacks {
 public:
  FiberStacks() = default;
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;

  /// Makes room for `count` stacks. If there was less, the old ones are gone.
  void reserve(size_t count);
  /// Gives fiber `i` its stack.
  void assign(Fiber& fiber, size_t i) const;
  bool contains(const void* address) const {
    return address >= memory_ && address < memory_ + bytes_;
  }

 private:
  char* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace burin::emulator
