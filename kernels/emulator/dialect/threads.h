#pragma once

#include <cstddef>
#include <type_traits>

#include "burin/kernels/base/error.h"
#include "burin/kernels/emulator/dialect/vectors.h"

// The execution model: where a thread is, barriers, shared memory.

// Plain variables, so that a debugger shows them by their CUDA names and a breakpoint may say
// `if threadIdx.x == 5`. The scheduler sets threadIdx whenever it resumes a thread.
inline uint3 threadIdx{}, blockIdx{};
inline uint3 blockDim{}, gridDim{};
inline constexpr int warpSize = 32;

namespace burin::emulator {

/// What a kernel did wrong: a divergent barrier, a bad mask, a race. Thrown by the launch, or,
/// where streams run late, by whatever waits for it.
class KernelError : public Error {
 public:
  using Error::Error;
};

/// Waits until every thread of the block is here.
void barrier(const char* what, const Where& where);
/// The same, and counts the threads whose predicate holds.
int barrier_count(const char* what, bool predicate, const Where& where);

/// The block's dynamic shared memory: exactly as many bytes as the launch asked for.
void* dynamic_shared_memory();

/// What the blocks of a cluster do together: cooperative_groups.h.
void cluster_barrier(const char* what, const Where& where);
void grid_barrier(const char* what, const Where& where);
unsigned cluster_rank();
unsigned cluster_size();
void* shared_of_block(const void* shared, unsigned rank, const Where& where);

/// What a launch that may overlap the one before has to do: see kernels/cuda/support/launch.h. One
/// grid runs at a time here; that each thread waits, and lets the next begin only then, is checked.
void wait_for_launch_before();
void let_next_launch_begin(const Where& where);

/// A copy from global to shared memory that happens at the wait for its group, so that a kernel
/// which forgets to wait reads old bytes here too. Bytes beyond `valid` become zero.
void copy_async(void* shared, const void* global, size_t bytes, size_t valid);
void copy_async_commit();
/// Waits until at most `groups` of the groups committed last are still under way.
void copy_async_wait(size_t groups);

/// The same for other work that goes on in the background: it is done at the wait, by the thread
/// that asked for it. `work` is copied as bytes, so that the race check, which looks at what
/// kernels read and write, does not meet the copy.
void background(const void* work, size_t bytes, void (*run)(void* work));
template <class Work>
void background(const Work& work) {
  static_assert(std::is_trivially_copyable_v<Work>);
  background(&work, sizeof work, [](void* copy) { (*static_cast<Work*>(copy))(); });
}
void background_commit();
void background_wait(size_t groups);

}  // namespace burin::emulator

inline void __syncthreads(const burin::Where& where = burin::Where::current()) {
  burin::emulator::barrier("__syncthreads()", where);
}
inline void cudaGridDependencySynchronize() {
  burin::emulator::wait_for_launch_before();
}
inline void cudaTriggerProgrammaticLaunchCompletion(
    const burin::Where& where = burin::Where::current()) {
  burin::emulator::let_next_launch_begin(where);
}
inline int __syncthreads_count(int predicate, const burin::Where& where = burin::Where::current()) {
  return burin::emulator::barrier_count("__syncthreads_count()", predicate != 0, where);
}
inline int __syncthreads_or(int predicate, const burin::Where& where = burin::Where::current()) {
  return burin::emulator::barrier_count("__syncthreads_or()", predicate != 0, where) > 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate, const burin::Where& where = burin::Where::current()) {
  return burin::emulator::barrier_count("__syncthreads_and()", predicate == 0, where) == 0 ? 1 : 0;
}
