#pragma once

#include <cstdint>

#include "burin/kernels/cuda/support/dialect.h"

namespace burin::cuda {

/// (level / 255 − mean) / std as one multiply-add. What makes a network's input of u8 takes it from
/// here, so that all ways there agree to the bit.
struct Normalization {
  float scale, shift;

  static __device__ Normalization of(float mean, float std) {
    return {1 / (255.0f * std), -mean / std};
  }
  __device__ float operator()(uint8_t level) const {
    return fmaf(static_cast<float>(level), scale, shift);
  }
};

}  // namespace burin::cuda
