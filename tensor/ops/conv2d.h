#pragma once

#include "burin/kernels/conv2d.h"
#include "burin/tensor/tensor.h"

namespace burin {

/// Two-dimensional convolution; see kernels/conv2d.h for the formula.
///
///   x [N, C, H, W],  w [K, C / groups, R, S] of x's dtype,  bias [K] f32 or undefined
///   →  y [N, K, P, Q]
///
/// y has the layout of x. Throws Error for shapes that do not fit. Differentiable in x, w and bias.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias,
              const Conv2dParams& params = {});

/// The same with a fused epilogue, for inference: y = activation(conv + bias + residual). Throws
/// Error if a gradient would be wanted, because none is recorded.
Tensor conv2d_fused(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& residual,
                    Activation activation, const Conv2dParams& params = {});

}  // namespace burin
