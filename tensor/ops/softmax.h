#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Softmax, or its logarithm, over the last axis of a contiguous tensor. Differentiable.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);

}  // namespace burin
