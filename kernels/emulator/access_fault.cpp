#include "burin/kernels/emulator/access_fault.h"

#include <pthread.h>
#include <ucontext.h>

#include <csignal>
#include <cstdint>

#include "burin/kernels/emulator/block_runner.h"
#include "burin/kernels/emulator/place.h"
#include "burin/kernels/emulator/queue.h"

namespace burin::emulator {
namespace {

/// Whose kernel runs, on which thread. Written under the machine's lock, and read by the handler
/// only where the thread is its own: it holds that lock.
struct Running {
  volatile bool a_kernel = false;
  pthread_t thread{};
  int device = 0;
};
Running running;

struct Fault {
  int memory_of = 0;
  bool writes = false;
};
Fault fault;
struct sigaction handler_before;

/// Where the kernel's thread goes on after a fault, on its own stack.
[[noreturn]] void report() {
  const KernelError error(str("block ", place(blockIdx), " thread ", place(threadIdx), ' ',
                              fault.writes ? "writes" : "reads", " memory of ",
                              Device::emulator(fault.memory_of), ", its kernel runs on ",
                              Device::emulator(running.device)));
  block_runner().abandon(std::make_exception_ptr(error));
}

void redirect(ucontext_t& context) {
  constexpr greg_t red_zone = 128;  // below the stack pointer, the interrupted function's still
  constexpr greg_t write_bit = 2;   // of a page fault's error code
  greg_t* const registers = context.uc_mcontext.gregs;
  fault.writes = (registers[REG_ERR] & write_bit) != 0;
  const greg_t aligned = (registers[REG_RSP] - red_zone) & ~greg_t{15};
  registers[REG_RSP] = aligned - 8;  // as behind a call
  registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<uintptr_t>(&report));
}

void on_fault(int signal, siginfo_t* info, void* context) {
  if (running.a_kernel && pthread_equal(running.thread, pthread_self()) != 0) {
    fault.memory_of = machine().owner_of(info->si_addr);
    const bool foreign = fault.memory_of >= 0 && fault.memory_of != running.device;
    if (foreign) return redirect(*static_cast<ucontext_t*>(context));
  }
  sigaction(signal, &handler_before, nullptr);  // the instruction runs again, and meets that one
}

void install_handler() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGSEGV, &action, &handler_before) == 0;
  }();
  static_cast<void>(installed);
}

}  // namespace

KernelScope::KernelScope(int device) : open_(&machine().memory(device)) {
  if (machine().has_several_memories()) install_handler();
  running.thread = pthread_self();
  running.device = device;
  running.a_kernel = true;
}

KernelScope::~KernelScope() {
  running.a_kernel = false;
}

}  // namespace burin::emulator
