#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Batch normalisation over all dimensions but the channels (dimension 1).
///
///   y = relu?((x − mean[c]) · inverse_std[c] · weight[c] + bias[c] + residual)
///   inverse_std[c] = 1 / √(variance[c] + epsilon),  variance biased (divides by n = N·H·W)
///
/// Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1. Agrees with torch.nn.BatchNorm2d.
/// Views are [N, C, H, W] in one layout, or [N, C]; x, y, residual and their gradients share dtype
/// (f32, bf16, f16) and strides; everything indexed by channel is [C] f32.
///
/// ReLU mask: bit i % 8 of byte i / 8 says whether element i of y, in y's memory order, is above 0
/// (or NaN, which must pass its gradient on). ⌈numel / 8⌉ bytes; the spare bits of the last one are
/// 0.
struct BatchNormTrain {
  static constexpr std::string_view name = "batch_norm_train";
  ConstView x;
  ConstView weight;
  ConstView bias;
  ConstView residual;     // or absent
  View y;                 // may be x only when nothing else reads x
  View mean;              // kept for backward
  View inverse_std;       // kept for backward
  View running_mean;      // or absent: ← (1 − momentum)·running_mean + momentum·mean
  View running_variance;  // or absent: likewise, with the unbiased variance (n / (n − 1)), as torch
                          // keeps it
  View num_batches_tracked;  // or absent: [] i64, goes up by one
  View relu_mask;            // u8, present iff relu
  bool relu = false;
  float momentum = 0.1f;
  float epsilon = 1e-5f;  // > 0, added to the variance, not to the deviation
};

/// The same with given statistics: mean and variance are the running ones.
struct BatchNormInference {
  static constexpr std::string_view name = "batch_norm_inference";
  ConstView x;
  ConstView weight;
  ConstView bias;
  ConstView mean;
  ConstView variance;
  ConstView residual;  // or absent
  View y;              // may be x
  View relu_mask;      // u8, or absent: needed only if backward follows a relu
  bool relu = false;
  float epsilon = 1e-5f;
};

/// Gradients of either form. With g = dy where the ReLU passed (all of dy without one):
///
///   dbias = Σ g,   dweight = Σ g · x̂,   x̂ = (x − mean) · inverse_std
///   dx = weight · inverse_std · (g − dbias / n − x̂ · dweight / n)   with the batch's statistics
///   dx = weight · inverse_std · g                                   with given ones
///   dresidual = g
struct BatchNormBackward {
  static constexpr std::string_view name = "batch_norm_backward";
  ConstView dy;
  ConstView x;
  ConstView weight;
  ConstView mean;
  ConstView inverse_std;
  ConstView relu_mask;  // u8, present iff there was a relu
  View dx;              // may be dy
  View dresidual;       // or absent
  View dweight;
  View dbias;
  bool batch_statistics = true;
};

}  // namespace burin
