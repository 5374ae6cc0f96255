#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Global response normalisation over the M positions of each image:
///
///   norm[n, c] = √(Σ_m x[n, m, c]²)
///   response[n, c] = norm[n, c] / (mean_c norm[n, c] + epsilon)
///   y[n, m, c] = x[n, m, c] + x[n, m, c] · response[n, c] · weight[c] + bias[c]
///
/// Woo et al. 2023, ConvNeXt V2, arXiv:2301.00808, algorithm 1. An nhwc image is [N, H·W, C].
struct GrnForward {
  static constexpr std::string_view name = "grn_forward";
  ConstView x;            // [N, M, C]  f32, bf16 or f16; contiguous
  ConstView weight;       // [C]        f32
  ConstView bias;         // [C]        f32
  View y;                 // [N, M, C]  dtype of x; contiguous
  View norm;              // [N, C]     f32, kept for backward
  float epsilon = 1e-6f;  // > 0, added to the mean
};

/// With a[n, c] = weight[c] · Σ_m dy · x and μ[n] = mean_c norm[n, c] + epsilon:
///
///   dnorm[n, c] = a[n, c] / μ − Σ_j a[n, j] · norm[n, j] / (C · μ²),
///   dx = dy · (1 + weight · response) + x · dnorm / norm   (no second term where norm = 0),
///   dweight[c] = Σ_n response[n, c] · Σ_m dy · x,   dbias[c] = Σ_{n, m} dy
struct GrnBackward {
  static constexpr std::string_view name = "grn_backward";
  ConstView dy;      // [N, M, C]  contiguous
  ConstView x;       // [N, M, C]  dtype of dy; contiguous
  ConstView weight;  // [C]        f32
  ConstView norm;    // [N, C]     f32; what forward wrote
  View dx;           // [N, M, C]  dtype of dy; contiguous; may be dy
  View dweight;      // [C]        f32
  View dbias;        // [C]        f32
  float epsilon = 1e-6f;
};

}  // namespace burin
