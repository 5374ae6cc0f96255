#pragma once

#include <initializer_list>

#include "burin/tensor/tensor.h"

namespace burin {

/// Sum or mean over all elements: a scalar []. Differentiable.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
/// Over the given dimensions, which stay as extents of 1. Differentiable.
Tensor sum(const Tensor& x, std::initializer_list<int> dims);
Tensor mean(const Tensor& x, std::initializer_list<int> dims);

/// The largest element; the sum of squares in f32. A gradient asked of them is an error.
Tensor max(const Tensor& x);
Tensor sum_of_squares(const Tensor& x);

/// The adjoint of broadcasting: x summed over what had been stretched to get from `shape` to x's.
/// Not recorded.
Tensor sum_to_shape(const Tensor& x, const Shape& shape);
/// x summed over `dims` in f32, then seen as `shape`: the gradient of a bias. Not recorded.
Tensor sum_to(const Tensor& x, const Shape& shape, std::initializer_list<int> dims);

}  // namespace burin
