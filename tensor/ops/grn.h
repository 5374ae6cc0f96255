#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Global response normalisation over all but the first and the last axis of a contiguous tensor
/// [N, …, C]; weight and bias [C] f32. See kernels/grn.h. Differentiable in all three.
Tensor grn(const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon = 1e-6f);

}  // namespace burin
