#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// The elements as another dtype; x itself if it has it already. Differentiable between floating
/// dtypes.
Tensor cast(const Tensor& x, DType dtype);
/// `made` as cast(x, its dtype), for who has the elements already: only recorded.
Tensor recorded_cast(const Tensor& x, const Tensor& made);
/// The elements in another order in memory; x itself if it lies so already. Differentiable.
Tensor to_layout(const Tensor& x, Layout layout);
/// The elements on another device; x itself if it is there. Differentiable.
Tensor to_device(const Tensor& x, Device device);
/// A copy with storage of its own, dense, in the layout of x. Differentiable.
Tensor clone(const Tensor& x);
/// Row-major and without gaps; x itself if it is so. Differentiable.
Tensor contiguous(const Tensor& x);

}  // namespace burin
