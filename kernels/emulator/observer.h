#pragma once

#include <array>
#include <cstddef>

#include "burin/kernels/emulator/dialect/vectors.h"

// What the race check needs to know of the runner, and what the runner tells it.

namespace burin::emulator {

struct AsyncCopy {
  void* to;
  const void* from;
  size_t bytes, valid;
};

/// Something that a thread has asked for and that is done when it waits.
struct BackgroundWork {
  void (*run)(void* bytes);
  alignas(16) std::array<char, 640> bytes;  // room for a product of wgmma
};

/// The thread that runs, and how often it has been synchronised with others.
struct Observation {
  int thread;                             // number in its block
  unsigned interval;                      // between which barriers
  unsigned first_interval;                // the block's
  unsigned short warp_interval;           // between which exchanges of its warp
  bool waits_for_launch;                  // may overlap the launch before, and has not waited yet
  const char *shared_begin, *shared_end;  // dynamic shared memory
};

/// Of the running thread; false outside kernels and for addresses on a thread's own stack.
bool observe(const void* address, Observation& observation);

/// Built twice: racecheck.cpp, for programs whose kernels are compiled with -fsanitize=thread, and
/// no_racecheck.cpp.
void race_check_begin(unsigned first_interval);
void race_check_access(const void* address, size_t bytes,
                       bool write);  // what the runner does itself
void race_check_end();               // throws KernelError

}  // namespace burin::emulator
