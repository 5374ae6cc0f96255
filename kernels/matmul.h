#pragma once

#include "burin/kernels/epilogue.h"
#include "burin/kernels/op.h"

namespace burin {

/// Matrix product, one or a batch.
///
///   y[b, m, n] = activation(Σ_k a[b, m, k] · b[b, k, n] + bias[n] + residual[b, m, n])
///
/// A transposed operand is a view with swapped strides; in each matrix one of the two strides is 1.
/// Sums are accumulated in f32. Linear layers and their two gradients are this op:
///   y = x·wᵀ + bias,   dx = dy·w,   dw = dyᵀ·x.
struct Matmul {
  static constexpr std::string_view name = "matmul";
  ConstView a;        // [M, K] or [batch, M, K]   f32, bf16 or f16
  ConstView b;        // [K, N] or [batch, K, N]   dtype of a; may carry a key
  View y;             // [M, N] or [batch, M, N]   dtype of a, or f32; rows contiguous
  Epilogue epilogue;  // bias [N] f32; residual: shape, dtype and strides of y
};

}  // namespace burin
