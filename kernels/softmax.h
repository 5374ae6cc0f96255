#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Softmax over the last axis, or its logarithm; the row's maximum is subtracted first.
///
///   y[r, c] = exp(x[r, c]) / Σ_j exp(x[r, j]),   or   x[r, c] − log Σ_j exp(x[r, j])
///
/// Agrees with torch.softmax and torch.log_softmax.
struct SoftmaxForward {
  static constexpr std::string_view name = "softmax_forward";
  ConstView x;  // [rows, C]  f32, bf16 or f16; contiguous
  View y;       // [rows, C]  dtype of x; contiguous; may be x
  bool log = false;
};

/// dx = y · (dy − Σ_j dy_j · y_j),   or for the logarithm   dx = dy − exp(y) · Σ_j dy_j
struct SoftmaxBackward {
  static constexpr std::string_view name = "softmax_backward";
  ConstView dy;  // [rows, C]  contiguous
  ConstView y;   // [rows, C]  dtype of dy; what forward wrote
  View dx;       // [rows, C]  dtype of dy; may be dy
  bool log = false;
};

}  // namespace burin
