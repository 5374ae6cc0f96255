#pragma once

#include <cuda_runtime.h>

#include "burin/kernels/base/device.h"

/// What nvcc and the emulator spell differently, or old GPUs and new ones. This is nvcc's side: the
/// emulator puts a header of the same name before this one on its include path (as it does with
/// CUDA's own headers and with ptx.h), so that no kernel file has an #if.

namespace burin::cuda {

/// The kind of device that the kernels of this folder are compiled for.
inline constexpr DeviceKind device_kind = DeviceKind::cuda;

// CUDA's own (launch_overlapped in launch.h), which code for GPUs before Hopper lacks. There no
// launches overlap, and there is nothing to wait for.
__device__ inline void cudaGridDependencySynchronize() {
#if __CUDA_ARCH__ >= 900
  ::cudaGridDependencySynchronize();
#endif
}
__device__ inline void cudaTriggerProgrammaticLaunchCompletion() {
#if __CUDA_ARCH__ >= 900
  ::cudaTriggerProgrammaticLaunchCompletion();
#endif
}

/// The block's dynamic shared memory: textbook CUDA's `extern __shared__ T name[]`. It begins at a
/// multiple of 1024 bytes: so do the tiles of wgmma.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[];
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

}  // namespace burin::cuda
