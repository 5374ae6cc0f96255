#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Keeps each element with probability 1 − p and scales it by 1 / (1 − p); the others become 0.
/// Srivastava et al. 2014; agrees with torch.nn.Dropout in distribution.
///
/// Element i, in logical order, is kept iff uniform(philox_word(seed, offset, i)) ≥ p.
/// The mask is not stored: backward draws it again from `used`.
struct DropoutForward {
  static constexpr std::string_view name = "dropout_forward";
  ConstView x;     // f32, bf16 or f16; dense in some layout
  View y;          // shape, dtype and strides of x; may be x
  View state;      // [2] i64 {seed, offset} in device memory; the call advances offset by 1
  View used;       // [2] i64, kept for backward: the state as it was
  float p = 0.5f;  // in [0, 1]; 1 yields zeros
};

/// dx = dy · mask / (1 − p)
struct DropoutBackward {
  static constexpr std::string_view name = "dropout_backward";
  ConstView dy;
  ConstView used;  // [2] i64, from forward
  View dx;         // shape, dtype and strides of dy; may be dy
  float p = 0.5f;
};

}  // namespace burin
