#pragma once

#include "burin/kernels/op.h"
#include "burin/kernels/pool2d.h"

namespace burin {

/// Batch normalisation in training, ReLU and max pooling in one, as the stem of a ResNet has them
/// (He et al. 2016, arXiv:1512.03385, table 1). The full-size image between norm and pooling, the
/// largest of the network, is never in memory, and neither is its gradient.
///
///   y = max_pool2d(relu(batch_norm(x)))
///
/// with the formulas of batch_norm.h and pool2d.h. x and dx are [N, C, H, W], everything pooled
/// [N, C, P, Q], in one layout and one dtype (f32, bf16, f16); what belongs to channels is [C] f32.
///
/// The choice: index, u8 in y's layout, says which element of its window is the largest before
/// rounding to the dtype (any of equals): row · kernel_w + column, padding counted. Where y as
/// stored is not above 0 (nor NaN) the ReLU stopped it and the index says `stopped_by_relu`.
/// Windows have at most 255 elements.
inline constexpr uint8_t stopped_by_relu = 255;

struct BatchNormMaxPoolTrain {
  static constexpr std::string_view name = "batch_norm_max_pool_train";
  ConstView x;
  ConstView weight;
  ConstView bias;
  View y;
  View index;                // the choice, kept for backward
  View chosen;               // x at the largest element, kept for backward
  View mean;                 // kept for backward
  View inverse_std;          // kept for backward
  View running_mean;         // or absent; these are updated as by BatchNormTrain
  View running_variance;     // or absent
  View num_batches_tracked;  // or absent
  Pool2dParams params;
  float momentum = 0.1f;
  float epsilon = 1e-5f;
};

/// With g = Σ of the dy whose index points to the element, n = N·H·W:
///
///   dbias = Σ g,   dweight = Σ g · x̂,   x̂ = (x − mean) · inverse_std
///   dx = weight · inverse_std · (g − dbias / n − x̂ · dweight / n)
///
/// Both sums are those of dy and dy · x̂ at the chosen elements: they read nothing of full size.
struct BatchNormMaxPoolBackward {
  static constexpr std::string_view name = "batch_norm_max_pool_backward";
  ConstView dy;
  ConstView index;
  ConstView chosen;
  ConstView x;
  ConstView weight;
  ConstView mean;
  ConstView inverse_std;
  View dx;
  View dweight;
  View dbias;
  Pool2dParams params;
};

}  // namespace burin
