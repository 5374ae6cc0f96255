#pragma once

#include "burin/tensor/random.h"

namespace burin {

/// Keeps each element with probability 1 − p, scaled by 1 / (1 − p). p in [0, 1]. See
/// kernels/dropout.h. Differentiable: backward draws the same mask again.
Tensor dropout(const Tensor& x, double p, Generator& generator);

}  // namespace burin
