#pragma once

#include <functional>
#include <tuple>
#include <utility>

#include "burin/kernels/emulator/dialect/threads.h"
#include "burin/kernels/emulator/limits.h"

// The few functions of CUDA's runtime that a kernel file calls.

struct CUstream_st;  // CUDA's name for what a cudaStream_t points to
using cudaStream_t = CUstream_st*;

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
inline const char* cudaGetErrorString(cudaError_t /*error*/) {
  return "no error";
}

/// The device that this thread launches on; a stream of another is refused, as on a GPU. Throws
/// Error for a device that is not there.
cudaError_t cudaSetDevice(int device);

enum cudaDeviceAttr {
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor,
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMaxSharedMemoryPerBlockOptin
};
/// Those of a Hopper GPU, whose limits the emulator has, but that one block runs at a time.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int /*device*/) {
  constexpr int values[] = {9, 0, 1, int{burin::emulator::max_shared_bytes}};
  *value = values[what];
  return cudaSuccess;
}

enum cudaLaunchAttributeID {
  cudaLaunchAttributeProgrammaticStreamSerialization,
  cudaLaunchAttributeClusterDimension,
  cudaLaunchAttributeCooperative
};
struct cudaLaunchAttributeValue {
  int programmaticStreamSerializationAllowed;
  struct {
    unsigned x, y, z;
  } clusterDim;
  int cooperative;
};
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  cudaLaunchAttributeValue val;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;  // of the caller's stack: read at the launch only
  unsigned numAttrs = 0;
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
struct cudaFuncAttributes {
  int maxDynamicSharedSizeBytes;
  int ptxVersion;
};
/// The launch itself checks the size.
template <class Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel /*kernel*/) {
  attributes->maxDynamicSharedSizeBytes = 0;
  attributes->ptxVersion = 90;
  return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel /*kernel*/, cudaFuncAttribute /*what*/, int /*bytes*/) {
  return cudaSuccess;
}

/// Where the blocks of a launch wait for each other: see limits.h.
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel /*kernel*/,
                                                          int /*threads*/, size_t /*shared*/) {
  *blocks = int{burin::emulator::max_cooperative};
  return cudaSuccess;
}

namespace burin::emulator {
/// Queues the grid on the stream; `thread` is what every thread of it runs.
void queue_grid(const cudaLaunchConfig_t& config, std::function<void()> thread);
}  // namespace burin::emulator

/// Throws burin::emulator::KernelError where CUDA's returns an error.
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  burin::emulator::queue_grid(
      *config, [kernel, kept = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
        std::apply(kernel, kept);
      });
  return cudaSuccess;
}
