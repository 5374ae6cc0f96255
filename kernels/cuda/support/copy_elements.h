#pragma once

#include "burin/kernels/base/view.h"
#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// Queues y = x, element by element in logical order: any strides, any dtypes. Shapes are equal.
void copy_elements(const ConstView& x, const View& y, Stream& stream);

}  // namespace burin::cuda
