#include "burin/tensor/ops/reduce.h"

#include "burin/kernels/copy.h"
#include "burin/kernels/reduce.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/elementwise.h"

namespace burin {
namespace {

Shape reduced_shape(const Tensor& x, std::initializer_list<int> dims) {
  Shape shape = x.shape();
  for (const int dim : dims) {
    const int i = dim < 0 ? dim + x.rank() : dim;
    check(i >= 0 && i < x.rank(), "reduce: dimension ", dim, " of ", x.shape());
    shape[i] = 1;
  }
  return shape;
}

Tensor reduce(const Tensor& x, const Shape& shape, ReduceKind kind, const TensorOptions& options) {
  Tensor y = empty(shape, options);
  launch(x.device(), Reduce{x.view(), y.writable(), kind});
  return y;
}

/// dy stretched to `shape` and scaled.
Tensor spread(const Tensor& dy, const Shape& shape, const TensorOptions& options, double scale) {
  ConstView view = dy.view();
  for (int i = 0; i < shape.rank(); ++i) {
    if (view.shape[i] == 1) view.strides[i] = 0;
  }
  view.shape = shape;
  Tensor dx = empty(shape, options);
  launch(dy.device(), Copy{view, dx.writable()});
  return scale == 1 ? dx : affine(dx, scale, 0);
}

Tensor reduce_recorded(const Tensor& x, const Shape& shape, ReduceKind kind) {
  const Tensor y = reduce(x, shape, kind, x.options());
  const double count = static_cast<double>(x.numel()) / static_cast<double>(y.numel());
  const double scale = kind == ReduceKind::mean ? 1 / count : 1;
  return record(
      kind == ReduceKind::mean ? "mean" : "sum", y, {x},
      [shape = x.shape(), options = x.options(), scale](const Tensor& dy, Gradients& grads) {
        grads.set(0, spread(dy, shape, options, scale));
      });
}

/// Over everything, as a scalar [].
Tensor reduce_all(const Tensor& x, ReduceKind kind) {
  const Shape ones = Shape::filled(x.rank(), 1);
  const Tensor y = reduce(x, ones, kind, x.options()).alias({}, {});
  const double scale = kind == ReduceKind::mean ? 1 / static_cast<double>(x.numel()) : 1;
  return record(
      kind == ReduceKind::mean ? "mean" : "sum", y, {x},
      [ones, shape = x.shape(), options = x.options(), scale](const Tensor& dy, Gradients& grads) {
        grads.set(0, spread(dy.alias(ones, ones), shape, options, scale));
      });
}

}  // namespace

Tensor sum(const Tensor& x) {
  return reduce_all(x, ReduceKind::sum);
}
Tensor mean(const Tensor& x) {
  return reduce_all(x, ReduceKind::mean);
}

Tensor sum(const Tensor& x, std::initializer_list<int> dims) {
  return reduce_recorded(x, reduced_shape(x, dims), ReduceKind::sum);
}
Tensor mean(const Tensor& x, std::initializer_list<int> dims) {
  return reduce_recorded(x, reduced_shape(x, dims), ReduceKind::mean);
}

Tensor max(const Tensor& x) {
  check_no_gradient("max", {x});
  return reduce(x, Shape::filled(x.rank(), 1), ReduceKind::max, x.options()).alias({}, {});
}
Tensor sum_of_squares(const Tensor& x) {
  check_no_gradient("sum_of_squares", {x});
  return reduce(x, Shape::filled(x.rank(), 1), ReduceKind::sum_of_squares, {DType::f32, x.device()})
      .alias({}, {});
}

Tensor sum_to_shape(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Shape kept = Shape::filled(x.rank(), 1);
  const int added = x.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i) kept[added + i] = shape[i];
  const Tensor y = reduce(x, kept, ReduceKind::sum, {x.dtype(), x.device()});
  return y.alias(shape, contiguous_strides(shape));
}

Tensor sum_to(const Tensor& x, const Shape& shape, std::initializer_list<int> dims) {
  const Tensor y = reduce(x, reduced_shape(x, dims), ReduceKind::sum, {DType::f32, x.device()});
  return y.alias(shape, contiguous_strides(shape));
}

}  // namespace burin
