#include "burin/kernels/emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>

#include "burin/kernels/base/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

// x86-64, System V: what a called function must preserve is pushed, the stacks are exchanged.
extern "C" void burin_switch_stacks(void** save, void* load);
extern "C" void burin_fiber_start();
asm(R"(
.text
.type burin_switch_stacks, @function
burin_switch_stacks:
  .cfi_startproc
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret    # predicted well: threads that meet at a barrier return to the same places
  .cfi_endproc
.size burin_switch_stacks, .-burin_switch_stacks
.type burin_fiber_start, @function
burin_fiber_start:           # the first code on a new stack: rbx holds the function
  .cfi_startproc
  .cfi_undefined rip         # debuggers and unwinders stop here
  call *%rbx
  ud2
  .cfi_endproc
.size burin_fiber_start, .-burin_fiber_start
)");

namespace burin::emulator {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr size_t stack_bytes = 256 * 1024;
#else
constexpr size_t stack_bytes = 64 * 1024;
#endif
constexpr size_t guard_bytes = 4096;

}  // namespace

FiberStacks::~FiberStacks() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

void FiberStacks::reserve(size_t count) {
  if (count * stack_bytes <= bytes_) return;
  if (memory_ != nullptr) munmap(memory_, bytes_);
  memory_ = nullptr;
  bytes_ = 0;
  void* const memory = mmap(nullptr, count * stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw OutOfMemory("emulator: no memory for the stacks of a block");
  memory_ = static_cast<char*>(memory);
  bytes_ = count * stack_bytes;
  for (size_t s = 0; s < count; ++s) mprotect(memory_ + s * stack_bytes, guard_bytes, PROT_NONE);
}

void FiberStacks::assign(Fiber& fiber, size_t i) const {
  fiber = {};
  fiber.bottom = memory_ + i * stack_bytes + guard_bytes;
  // Stacks lie a power of two apart; without the offset their hot ends would share a few cache
  // sets.
  fiber.top = memory_ + (i + 1) * stack_bytes - i * 320 % 8192;
}

void begin_fiber(Fiber& fiber, void (*entry)()) {
  char* const aligned = fiber.top - reinterpret_cast<uintptr_t>(fiber.top) % 64;
  auto** stack = reinterpret_cast<void**>(aligned);
  stack -= 2;  // behind the `ret` below the stack pointer stays a multiple of 16
  *--stack = reinterpret_cast<void*>(&burin_fiber_start);  // what `ret` goes to
  *--stack = nullptr;                                      // rbp
  *--stack = reinterpret_cast<void*>(entry);               // rbx
  for (int i = 0; i < 4; ++i) *--stack = nullptr;          // r12 to r15
  fiber.stack_pointer = stack;
}

void switch_fiber(Fiber& from, Fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom,
                                 static_cast<size_t>(to.top - to.bottom));
  burin_switch_stacks(&from.stack_pointer, to.stack_pointer);
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#else
  burin_switch_stacks(&from.stack_pointer, to.stack_pointer);
#endif
}

void fiber_begun([[maybe_unused]] Fiber& main) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (main.bottom != nullptr) return;  // another fiber may have started this one
  main.bottom = static_cast<char*>(const_cast<void*>(bottom));
  main.top = main.bottom + bytes;
#endif
}

}  // namespace burin::emulator
