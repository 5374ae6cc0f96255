#pragma once

#include <initializer_list>

#include "burin/tensor/tensor.h"

namespace burin {

/// Other looks at the same elements. All differentiable; none copies unless it says so.

/// Another shape with as many elements, in row-major order; −1 once stands for what is left. A view
/// where the strides allow it, else a copy (an nhwc image does not flatten without one).
Tensor reshape(const Tensor& x, const Shape& shape);
/// [N, …] → [N, everything else], in row-major order.
Tensor flatten(const Tensor& x);
/// Dimension i of the result is dimension order[i] of x: a view.
Tensor permute(const Tensor& x, std::initializer_list<int> order);
/// The last two dimensions exchanged: a view.
Tensor transpose(const Tensor& x);
/// An image [N, C, H, W] as rows of channels, [N, H, W, C], contiguous: a view of an nhwc image,
/// else a copy. What a norm or a linear layer over the channels takes.
Tensor to_rows(const Tensor& x);
/// Back again: [N, H, W, C] → [N, C, H, W], a view, which is nhwc.
Tensor from_rows(const Tensor& rows);
/// Elements [begin, end) along `dim`: a view.
Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end);
/// The elements in reverse order along `dim`: a copy.
Tensor flip(const Tensor& x, int dim);
/// Extents of 1 stretched to `shape`: a view with strides of 0.
Tensor expand(const Tensor& x, const Shape& shape);

}  // namespace burin
