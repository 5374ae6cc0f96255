#pragma once

#include <cmath>

#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// Reductions over the threads of a warp or a block; every thread gets the result. Whole warps
/// only: blockDim.x a multiple of 32, all threads there. Added in a fixed order: equal from run to
/// run.

inline constexpr unsigned whole_warp = 0xffffffffu;

template <class Real>
__device__ Real warp_sum(Real value) {
  for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(whole_warp, value, apart);
  return value;
}

/// NaN wins.
__device__ inline float larger(float a, float b) {
  return a != a || a > b ? a : b;
}

__device__ inline float warp_max(float value) {
  for (int apart = 16; apart > 0; apart /= 2) {
    value = larger(value, __shfl_xor_sync(whole_warp, value, apart));
  }
  return value;
}

/// Hands the warps' results to the first warp and what it makes of them to all.
template <class Real, class Join>
__device__ Real across_warps(Real value, Real neutral, const Join& join) {
  __shared__ Real of_warp[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  __syncthreads();  // the array may still be read from the call before
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  return join(lane < static_cast<int>(blockDim.x) / 32 ? of_warp[lane] : neutral);
}

template <class Real>
__device__ Real block_sum(Real value) {
  return across_warps(warp_sum(value), Real(0), [](Real v) { return warp_sum(v); });
}

__device__ inline float block_max(float value) {
  return across_warps(warp_max(value), -INFINITY, [](float v) { return warp_max(v); });
}

/// Threads for a block that works on `count` elements: whole warps, no more than `most`.
inline int block_threads(int64_t count, int most) {
  const int64_t wanted = (count + 31) / 32 * 32;
  return static_cast<int>(wanted < 32 ? 32 : wanted > most ? most : wanted);
}

}  // namespace burin::cuda
