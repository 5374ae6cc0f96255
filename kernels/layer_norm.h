#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Layer normalisation over the last axis.
///
///   y[r, c] = (x[r, c] − mean[r]) · inverse_std[r] · weight[c] + bias[c]
///   inverse_std[r] = 1 / √(variance[r] + epsilon),  variance biased (divides by C)
///
/// Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 4. Agrees with torch.nn.LayerNorm.
/// The channel norm of an nhwc image is this op on [N·H·W, C].
struct LayerNormForward {
  static constexpr std::string_view name = "layer_norm_forward";
  ConstView x;            // [rows, C]  f32, bf16 or f16; contiguous
  ConstView weight;       // [C]        f32
  ConstView bias;         // [C]        f32
  View y;                 // [rows, C]  dtype of x; contiguous
  View mean;              // [rows]     f32, kept for backward
  View inverse_std;       // [rows]     f32, kept for backward
  float epsilon = 1e-5f;  // > 0, added to the variance, not to the deviation
};

/// With g = dy · weight and x̂ = (x − mean) · inverse_std, averages over the C columns of a row:
///
///   dx = inverse_std · (g − mean(g) − x̂ · mean(g · x̂))
///   dweight = Σ_rows dy · x̂,   dbias = Σ_rows dy
struct LayerNormBackward {
  static constexpr std::string_view name = "layer_norm_backward";
  ConstView dy;           // [rows, C]  contiguous
  ConstView x;            // [rows, C]  dtype of dy; contiguous
  ConstView weight;       // [C]        f32
  ConstView mean;         // [rows]     f32
  ConstView inverse_std;  // [rows]     f32
  View dx;                // [rows, C]  dtype of dy; may be dy
  View dweight;           // [C]        f32
  View dbias;             // [C]        f32
};

}  // namespace burin
