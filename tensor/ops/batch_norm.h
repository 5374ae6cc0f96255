#pragma once

#include "burin/kernels/pool2d.h"
#include "burin/tensor/tensor.h"

namespace burin {

/// What a batch norm keeps: [C] f32 but for the count.
struct BatchNormState {
  Tensor weight;
  Tensor bias;
  Tensor running_mean;              // updated in training
  Tensor running_variance;          // of unbiased variances, as torch keeps it
  Tensor num_batches_tracked = {};  // [] i64, or undefined: how often they were updated
};

/// What is fused behind it: y = relu?(norm(x) + residual).
struct BatchNormEpilogue {
  Tensor residual = {};
  bool relu = false;
};

/// Batch normalisation with the statistics of this batch; see kernels/batch_norm.h.
/// x [N, C, H, W] or [N, C]. Updates the running statistics by `momentum` and counts that.
/// Throws Error if there is but one value per channel. Differentiable in x, weight, bias and
/// epilogue.residual.
Tensor batch_norm_train(const Tensor& x, BatchNormState& state, const BatchNormEpilogue& epilogue,
                        float momentum, float epsilon);

/// max_pool2d(relu(batch_norm_train(x))) in one, without the images between; see
/// kernels/batch_norm_max_pool.h. Where several elements of a window are the largest, it may be
/// another of them that gets the gradient. Throws Error where either would, and for windows of over
/// 255 elements. Differentiable in x, weight and bias.
Tensor batch_norm_max_pool_train(const Tensor& x, BatchNormState& state, const Pool2dParams& params,
                                 float momentum, float epsilon);

/// The same as batch_norm_train with the running statistics, which stay as they are.
Tensor batch_norm_inference(const Tensor& x, const BatchNormState& state,
                            const BatchNormEpilogue& epilogue, float epsilon);

}  // namespace burin
