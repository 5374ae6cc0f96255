#pragma once

#include "burin/nn/batch_norm.h"
#include "burin/nn/conv2d.h"

namespace burin::models {

/// What residual networks are made of: padded by half the kernel, so that stride 1 keeps the size,
/// and without a bias, which the norm behind it would take off again.
nn::Conv2dOptions conv_without_bias(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);

/// relu?(norm(conv(x)) + residual): the step residual networks are made of. When fold() has merged
/// the norm into the convolution it is one fused call, unless a gradient is wanted.
Tensor conv_norm(nn::Conv2d& conv, nn::BatchNorm& norm, const Tensor& x,
                 const BatchNormEpilogue& epilogue = {});

/// max_pool2d(relu(norm(conv(x)))): the stem. The pooling is fused with the norm in training, the
/// norm with the convolution when folded.
Tensor conv_norm_max_pool(nn::Conv2d& conv, nn::BatchNorm& norm, const Tensor& x,
                          const Pool2dParams& params);

/// relu(conv(x)), fused where no gradient is wanted.
Tensor conv_relu(nn::Conv2d& conv, const Tensor& x);

/// A module that can name the norms which directly follow a convolution of its own.
struct FoldsBatchNorm {
  virtual ~FoldsBatchNorm() = default;
  virtual std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() = 0;
};

/// Merges an evaluation-mode norm into the convolution before it: w ← w·γ/σ, b ← β + (b − μ)·γ/σ
/// with σ = √(running variance + ε). For inference only; the norm is marked and skipped from now
/// on.
void fold(nn::Conv2d& conv, nn::BatchNorm& norm);

}  // namespace burin::models
