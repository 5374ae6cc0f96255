#pragma once

#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// How a block of threads adds the parts of a weight gradient, f32 [count][elements]: its slices
/// take every so many-th part of the same elements. Many parts and few elements would otherwise be
/// few threads, each waiting for one part after the other. The order is always the same.
struct PartsSum {
  static constexpr int threads = 256;
  int count, slices;
  int64_t elements;

  static PartsSum of(int count, int64_t elements) { return {count, count < 8 ? 1 : 8, elements}; }
  LaunchConfig config(Stream& stream) const {
    const int64_t in_block = threads / slices;
    const auto blocks = static_cast<unsigned>((elements + in_block - 1) / in_block);
    return {blocks, threads, threads * sizeof(float), stream};
  }

  /// This thread's element, which may lie behind the last.
  __device__ int64_t element() const {
    const int in_block = threads / slices;
    return int64_t(blockIdx.x) * in_block + static_cast<int>(threadIdx.x) % in_block;
  }
  /// Whether this thread is the one that add() gives the element's sum. All threads call that.
  __device__ bool has_sum() const {
    return static_cast<int>(threadIdx.x) < threads / slices && element() < elements;
  }
  __device__ float add(const float* parts) const {
    const int in_block = threads / slices, thread = static_cast<int>(threadIdx.x);
    const int64_t i = element();
    float sum = 0;
    if (i < elements) {
#pragma unroll 8
      for (int part = thread / in_block; part < count; part += slices) {
        sum += parts[part * elements + i];
      }
    }
    float* const sums = dynamic_shared<float>();
    sums[thread] = sum;
    __syncthreads();
    if (thread >= in_block) return 0;
    for (int slice = 1; slice < slices; ++slice) sum += sums[slice * in_block + thread];
    return sum;
  }
};

}  // namespace burin::cuda
