#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Layer normalisation over the last axis of a contiguous tensor; weight and bias [C] f32. See
/// kernels/layer_norm.h. Differentiable in all three.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon);

}  // namespace burin
