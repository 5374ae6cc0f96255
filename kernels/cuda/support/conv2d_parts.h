#pragma once

#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// Four neighbours, loaded and added as one.
struct alignas(16) FourFloats {
  float at[4] = {};

  __device__ FourFloats& operator+=(const FourFloats& other) {
    for (int k = 0; k < 4; ++k) at[k] += other.at[k];
    return *this;
  }
};

/// How a block of threads adds the parts of a weight gradient, [count][elements] of Sum (float or
/// FourFloats): its slices take every so many-th part of the same elements. Many parts and few
/// elements would otherwise be few threads, each waiting for one part after the other. The order is
/// always the same.
template <class Sum>
struct PartsSum {
  static constexpr int threads = 256;
  int count, slices, elements;

  static PartsSum of(int count, int64_t elements) {
    return {count, count < 8 ? 1 : 8, static_cast<int>(elements)};  // too_large() has seen to that
  }
  LaunchConfig config(Stream& stream) const {
    const int in_block = threads / slices;
    const auto blocks = static_cast<unsigned>((elements + in_block - 1) / in_block);
    return {blocks, threads, threads * sizeof(Sum), stream};
  }

  /// This thread's element, which may lie behind the last.
  __device__ int element() const {
    const int in_block = threads / slices;
    return static_cast<int>(blockIdx.x) * in_block + static_cast<int>(threadIdx.x) % in_block;
  }
  /// Whether this thread is the one that add() gives the element's sum. All threads call that.
  __device__ bool has_sum() const {
    return static_cast<int>(threadIdx.x) < threads / slices && element() < elements;
  }
  /// The parts are what the launch before wrote.
  __device__ Sum add(const Sum* parts) const {
    const int in_block = threads / slices, thread = static_cast<int>(threadIdx.x);
    const int i = element();
    Sum sum{};
    cudaGridDependencySynchronize();
    if (i < elements) {
#pragma unroll 8
      for (int part = thread / in_block; part < count; part += slices) {
        sum += parts[int64_t(part) * elements + i];
      }
    }
    Sum* const sums = dynamic_shared<Sum>();
    sums[thread] = sum;
    __syncthreads();
    if (thread >= in_block) return {};
    for (int slice = 1; slice < slices; ++slice) sum += sums[slice * in_block + thread];
    return sum;
  }
};

}  // namespace burin::cuda
