#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Mean cross-entropy of logits and class indices. With t = target[n], ω = class_weight (1 if
/// absent), ε = label_smoothing, over the rows whose target is not ignore_index:
///
///   loss_n = (1 − ε) · ω[t] · (−log p[n, t]) + (ε / C) · Σ_c ω[c] · (−log p[n, c])
///   loss   = Σ_n loss_n / Σ_n ω[target[n]];     NaN if every row is ignored, as torch has it
///
/// Agrees with torch.nn.functional.cross_entropy. A target outside [0, C) that is not ignore_index
/// makes the loss NaN (a kernel on a device can't throw); callers check targets where they are
/// made.
struct CrossEntropyForward {
  static constexpr std::string_view name = "cross_entropy_forward";
  ConstView logits;        // [N, C]  f32, bf16 or f16; contiguous
  ConstView target;        // [N]     i64
  ConstView class_weight;  // [C]     f32, or absent
  View loss;               // []      f32
  View sample_loss;        // [N]     f32: loss_n; 0 for ignored rows
  View log_sum_exp;        // [N]     f32, kept for backward
  View total_weight;       // []      f32, kept for backward: the divisor
  float label_smoothing = 0;
  int64_t ignore_index = -100;
};

/// dlogits[n, c] = dloss / total_weight · ∂(Σ_n loss_n) / ∂logits[n, c]; 0 for ignored rows.
struct CrossEntropyBackward {
  static constexpr std::string_view name = "cross_entropy_backward";
  ConstView dloss;         // []      f32
  ConstView logits;        // [N, C]
  ConstView target;        // [N]     i64
  ConstView class_weight;  // [C]     f32, or absent
  ConstView log_sum_exp;   // [N]     f32
  ConstView total_weight;  // []      f32
  View dlogits;            // [N, C]  dtype of logits; contiguous
  float label_smoothing = 0;
  int64_t ignore_index = -100;
};

}  // namespace burin
