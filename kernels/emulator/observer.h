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

/// The thread that runs, how often it has been synchronised with others, and what it touches.
struct Observation {
  int thread;                    // number in its block
  unsigned interval;             // between which barriers
  unsigned first_interval;       // the cluster's; most often that is one block
  unsigned phase_interval;       // the first since all of the cluster met
  unsigned block_interval;       // the first of the block since then
  unsigned short warp_interval;  // between which exchanges of its warp
  bool waits_for_launch;         // may overlap the launch before, and has not waited yet
  bool dynamic_shared;           // the address is dynamic shared memory of a block of the cluster
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
