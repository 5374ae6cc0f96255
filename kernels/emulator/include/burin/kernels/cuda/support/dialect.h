#pragma once

#include <cuda_runtime.h>

#include "burin/kernels/base/device.h"

// Stands in for kernels/cuda/support/dialect.h.

namespace burin::cuda {

/// The kind of device that the kernels are compiled for.
inline constexpr DeviceKind device_kind = DeviceKind::emulator;

/// The block's dynamic shared memory.
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulator::dynamic_shared_memory());
}

}  // namespace burin::cuda
