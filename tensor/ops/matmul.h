#pragma once

#include "burin/kernels/activation.h"
#include "burin/tensor/tensor.h"

namespace burin {

/// y = a · b, one product or a batch: [M, K] · [K, N] → [M, N], [B, M, K] · [B, K, N] → [B, M, N].
/// Transposed views are taken as they are, other ones copied. Throws Error for shapes that do not
/// fit. Differentiable.
Tensor matmul(const Tensor& a, const Tensor& b);

/// What is fused behind a linear layer: y = activation(x · wᵀ + bias + residual).
struct LinearEpilogue {
  Tensor residual = {};  // shape and dtype of y, or undefined
  Activation activation = Activation::none;
};

/// y = x · wᵀ + bias:  x […, C],  w [K, C] of x's dtype,  bias [K] f32 or undefined  →  y […, K].
/// Agrees with torch.nn.functional.linear. Differentiable in all three and in epilogue.residual;
/// throws Error where a gradient would be wanted through epilogue.activation, because none is
/// recorded.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias,
              const LinearEpilogue& epilogue = {});

}  // namespace burin
