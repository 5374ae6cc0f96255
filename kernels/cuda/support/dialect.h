#pragma once

#include <cuda_runtime.h>

#include "burin/kernels/base/device.h"

/// The two things that nvcc and the emulator spell differently. This is nvcc's side: the emulator
/// puts a header of the same name before this one on its include path (as it does with CUDA's own
/// headers and with ptx.h), so that no kernel file has an #if.

namespace burin::cuda {

/// The kind of device that the kernels of this folder are compiled for.
inline constexpr DeviceKind device_kind = DeviceKind::cuda;

/// The block's dynamic shared memory: textbook CUDA's `extern __shared__ T name[]`. It begins at a
/// multiple of 1024 bytes: so do the tiles of wgmma.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[];
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

}  // namespace burin::cuda
