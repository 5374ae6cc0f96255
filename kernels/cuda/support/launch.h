#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <mutex>
#include <utility>

#include "burin/kernels/base/error.h"
#include "burin/kernels/base/stream.h"
#include "burin/kernels/cuda/support/capability.h"
#include "burin/kernels/cuda/support/dialect.h"

namespace burin::cuda {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t shared_bytes;
  Stream& stream;
  Where where = Where::current();
};

inline void check_launch(cudaError_t status, const Where& where) {
  if (status == cudaSuccess) return;
  const std::string message =
      str("cuda: ", cudaGetErrorString(status), " at ", where.file, ':', where.line);
  // A kernel is loaded when it is first launched.
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory(message);
  throw Error(message);
}

namespace detail {

/// What a launch may ask for beside its grid.
struct LaunchAttributes {
  cudaLaunchAttribute at[2] = {};
  unsigned count = 0;

  /// Where the kernels were compiled without their waits, launches follow each other.
  void overlap(Device device) {
    if (code_capability(device.index) < hopper) return;
    at[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    at[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  void cooperative() {
    at[count].id = cudaLaunchAttributeCooperative;
    at[count++].val.cooperative = 1;
  }
  void cluster(dim3 size) {
    at[count].id = cudaLaunchAttributeClusterDimension;
    at[count++].val.clusterDim = {size.x, size.y, size.z};
  }
};

/// Lets blocks of the kernel have that much shared memory, on the thread's current device.
template <class... Parameters>
void allow_shared(void (*kernel)(Parameters...), size_t shared_bytes, const Where& where) {
  constexpr int without_asking = 48 * 1024;  // CUDA programming guide, "Shared Memory"
  const int bytes = static_cast<int>(shared_bytes);
  if (bytes <= without_asking) return;
  // Only ever more: another launch of the kernel, recorded or by another thread, may need that.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  cudaFuncAttributes now{};
  check_launch(cudaFuncGetAttributes(&now, kernel), where);
  if (now.maxDynamicSharedSizeBytes >= bytes) return;
  check_launch(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
               where);
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchConfig& config, LaunchAttributes attributes,
            Arguments&&... arguments) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  check_launch(cudaSetDevice(config.stream.device().index), config.where);
  allow_shared(kernel, config.shared_bytes, config.where);
  cudaLaunchConfig_t native{};
  native.gridDim = config.grid;
  native.blockDim = config.block;
  native.dynamicSmemBytes = config.shared_bytes;
  native.stream = static_cast<cudaStream_t>(config.stream.native());
  native.attrs = attributes.at;
  native.numAttrs = attributes.count;
  check_launch(cudaLaunchKernelEx(&native, kernel, static_cast<Parameters>(arguments)...),
               config.where);
}

}  // namespace detail

/// Textbook CUDA's kernel<<<grid, block, shared_bytes, stream>>>(arguments…), in words that a C++
/// compiler knows. An empty grid is no work. Throws Error if CUDA refuses.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
  detail::launch(kernel, config, {}, std::forward<Arguments>(arguments)...);
}

/// The same, but the kernel's blocks may begin while the launch before it still runs, in the gaps
/// that its last blocks leave (CUDA programming guide, "Programmatic Dependent Launch"). So every
/// thread of the kernel calls cudaGridDependencySynchronize(), which returns when that launch is
/// done, before it uses what that one wrote and before it writes. A kernel that calls
/// cudaTriggerProgrammaticLaunchCompletion() lets the next launch begin as soon as there is room.
/// It does so behind its own wait: then the next kernel may read at once, before it waits itself,
/// what launches older than this one wrote. The emulator checks all of this.
template <class... Parameters, class... Arguments>
void launch_overlapped(void (*kernel)(Parameters...), const LaunchConfig& config,
                       Arguments&&... arguments) {
  detail::LaunchAttributes attributes;
  attributes.overlap(config.stream.device());
  detail::launch(kernel, config, attributes, std::forward<Arguments>(arguments)...);
}

/// The same in clusters of at most eight blocks, neighbours in the grid, which they fill: those of
/// a cluster run at the same time, wait for each other, and read each other's dynamic shared memory
/// (CUDA programming guide, "Thread Block Clusters", and cooperative_groups.h). Of a kernel's
/// shared variables the emulator has one copy for all of them, so such a kernel has none.
template <class... Parameters, class... Arguments>
void launch_clusters(void (*kernel)(Parameters...), const LaunchConfig& config, dim3 cluster,
                     Arguments&&... arguments) {
  detail::LaunchAttributes attributes;
  attributes.overlap(config.stream.device());
  attributes.cluster(cluster);
  detail::launch(kernel, config, attributes, std::forward<Arguments>(arguments)...);
}

/// Blocks of the kernel that a device holds at the same time.
template <class... Parameters>
int resident_blocks(void (*kernel)(Parameters...), int threads, size_t shared_bytes, Device device,
                    const Where& where = Where::current()) {
  int multiprocessors = 0, of_each = 0;
  check_launch(cudaSetDevice(device.index), where);
  detail::allow_shared(kernel, shared_bytes, where);
  check_launch(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_each, kernel, threads, shared_bytes),
      where);
  check_launch(
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device.index),
      where);
  return of_each * multiprocessors;
}

/// Launches all blocks at the same time, at most resident_blocks(), to wait for each other with
/// cooperative_groups::this_grid().sync() (CUDA programming guide, "Grid Synchronization"). Here
/// too the kernel has no shared variables but dynamic ones. It does not overlap the launch before.
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), const LaunchConfig& config,
                        Arguments&&... arguments) {
  detail::LaunchAttributes attributes;
  attributes.cooperative();
  detail::launch(kernel, config, attributes, std::forward<Arguments>(arguments)...);
}

}  // namespace burin::cuda
