#pragma once

#include "burin/kernels/pool2d.h"
#include "burin/tensor/tensor.h"

namespace burin {

/// Pooling over windows of [N, C, H, W]; see kernels/pool2d.h. y has the layout of x. All
/// differentiable. Throw Error where the window does not fit or the padding exceeds half of it.
Tensor max_pool2d(const Tensor& x, const Pool2dParams& params);
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params);

/// The shape they make of x. Throws Error as they do, in the name of `op`.
Shape pooled_shape(const char* op, const Tensor& x, const Pool2dParams& params);

/// Averages over as many windows as the output has elements: [N, C, H, W] → [N, C, height, width].
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width);

/// The mean of each channel over space: [N, C, H, W] → [N, C].
Tensor global_avg_pool2d(const Tensor& x);

}  // namespace burin
