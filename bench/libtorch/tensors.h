#pragma once

#include <torch/torch.h>

#include "burin/kernels/activation.h"

namespace burin::bench {

torch::ScalarType type_of(DType dtype);

/// The elements a view looks at, as a tensor on the same memory.
torch::Tensor tensor_of(const ConstView& view);

/// Undefined for an absent operand.
torch::Tensor optional_of(const ConstView& view);

/// A tensor of a view's shape, dtype and layout, for what LibTorch asks for and does not read.
torch::Tensor unread_like(const ConstView& view);

/// activation(y + residual), in place where that can be: y is LibTorch's own.
torch::Tensor finished(torch::Tensor y, const torch::Tensor& residual, Activation activation);

}  // namespace burin::bench
