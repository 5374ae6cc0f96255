#pragma once

#include <cmath>

#include "burin/kernels/base/random.h"
#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// normal_from of base/random.h in device code.
__device__ inline float normal_of(uint32_t word1, uint32_t word2) {
  const float u1 = static_cast<float>((word1 >> 8) + 1) * 0x1p-24f;
  const float u2 = uniform_from(word2);
  return sqrtf(-2.0f * logf(u1)) * cosf(6.28318530717958648f * u2);
}

}  // namespace burin::cuda
