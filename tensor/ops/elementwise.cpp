#include "burin/tensor/ops/elementwise.h"

#include "burin/kernels/elementwise.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {
namespace {

/// The view with extents of 1 put in front until it has `rank` dimensions.
ConstView with_rank(const Tensor& x, int rank) {
  ConstView view = x.view();
  Dims shape = Dims::filled(rank, 1);
  Dims strides = Dims::filled(rank, 0);
  const int added = rank - view.rank();
  for (int i = 0; i < view.rank(); ++i) {
    shape[added + i] = view.shape[i];
    strides[added + i] = view.strides[i];
  }
  view.shape = shape;
  view.strides = strides;
  return view;
}

Tensor binary(const Tensor& a, const Tensor& b, BinaryKind kind) {
  check(a.dtype() == b.dtype(), "elementwise: ", a.dtype(), " and ", b.dtype(),
        " differ; cast one");
  check_same_device("elementwise", {{"a", a}, {"b", b}});
  const Shape shape = broadcast_shape(a.shape(), b.shape());
  TensorOptions options = a.options();
  options.layout = a.shape() == shape ? a.layout() : b.layout();
  Tensor y = empty(shape, options);
  launch(a.device(), ElementwiseBinary{with_rank(a, shape.rank()), with_rank(b, shape.rank()),
                                       y.writable(), kind});
  return y;
}

Tensor unary(const Tensor& x, UnaryKind kind, double scale = 1, double shift = 0) {
  Tensor y = empty_like(x);
  launch(x.device(), ElementwiseUnary{x.view(), y.writable(), kind, static_cast<float>(scale),
                                      static_cast<float>(shift)});
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", binary(a, b, BinaryKind::add), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, Gradients& grads) {
                  if (grads.wanted(0)) grads.set(0, sum_to_shape(dy, sa));
                  if (grads.wanted(1)) grads.set(1, sum_to_shape(dy, sb));
                });
}

Tensor subtract(const Tensor& a, const Tensor& b) {
  return record("subtract", binary(a, b, BinaryKind::subtract), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, Gradients& grads) {
                  if (grads.wanted(0)) grads.set(0, sum_to_shape(dy, sa));
                  if (grads.wanted(1)) grads.set(1, sum_to_shape(affine(dy, -1, 0), sb));
                });
}

Tensor multiply(const Tensor& a, const Tensor& b) {
  return record(
      "multiply", binary(a, b, BinaryKind::multiply), {a, b},
      [a = save(a), b = save(b)](const Tensor& dy, Gradients& grads) {
        if (grads.wanted(0)) {
          grads.set(0, sum_to_shape(binary(dy, b.get(), BinaryKind::multiply), a.get().shape()));
        }
        if (grads.wanted(1)) {
          grads.set(1, sum_to_shape(binary(dy, a.get(), BinaryKind::multiply), b.get().shape()));
        }
      });
}

Tensor divide(const Tensor& a, const Tensor& b) {
  const Tensor y = binary(a, b, BinaryKind::divide);
  return record("divide", y, {a, b},
                [sa = a.shape(), b = save(b), y = save(y)](const Tensor& dy, Gradients& grads) {
                  // ∂(a/b)/∂a = 1/b,   ∂(a/b)/∂b = −(a/b)/b
                  const Tensor da = binary(dy, b.get(), BinaryKind::divide);
                  if (grads.wanted(0)) grads.set(0, sum_to_shape(da, sa));
                  if (grads.wanted(1)) {
                    const Tensor db = affine(binary(da, y.get(), BinaryKind::multiply), -1, 0);
                    grads.set(1, sum_to_shape(db, b.get().shape()));
                  }
                });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  check_no_gradient("maximum", {a, b});
  return binary(a, b, BinaryKind::maximum);
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  check_no_gradient("minimum", {a, b});
  return binary(a, b, BinaryKind::minimum);
}

Tensor affine(const Tensor& x, double scale, double shift) {
  return record("affine", unary(x, UnaryKind::affine, scale, shift), {x},
                [scale](const Tensor& dy, Gradients& grads) {
                  grads.set(0, unary(dy, UnaryKind::affine, scale, 0));
                });
}

Tensor exp(const Tensor& x) {
  const Tensor y = unary(x, UnaryKind::exp);
  return record("exp", y, {x}, [y = save(y)](const Tensor& dy, Gradients& grads) {
    grads.set(0, binary(dy, y.get(), BinaryKind::multiply));
  });
}

Tensor log(const Tensor& x) {
  return record("log", unary(x, UnaryKind::log), {x},
                [x = save(x)](const Tensor& dy, Gradients& grads) {
                  grads.set(0, binary(dy, x.get(), BinaryKind::divide));
                });
}

Tensor sqrt(const Tensor& x) {
  const Tensor y = unary(x, UnaryKind::sqrt);
  return record("sqrt", y, {x}, [y = save(y)](const Tensor& dy, Gradients& grads) {
    grads.set(0, unary(binary(dy, y.get(), BinaryKind::divide), UnaryKind::affine, 0.5, 0));
  });
}

Tensor reciprocal(const Tensor& x) {
  check_no_gradient("reciprocal", {x});
  return unary(x, UnaryKind::reciprocal);
}

Tensor abs(const Tensor& x) {
  check_no_gradient("abs", {x});
  return unary(x, UnaryKind::abs);
}

void add_(Tensor& a, const Tensor& b, double scale) {
  check(a.shape() == b.shape(), "add_: shapes ", a.shape(), " and ", b.shape(), " differ");
  check_same_device("add_", {{"a", a}, {"b", b}});
  check_no_gradient("add_", {a, b});
  const Tensor scaled = scale == 1 ? b : unary(b, UnaryKind::affine, scale, 0);
  const ConstView before = a.view();
  launch(a.device(), ElementwiseBinary{before, scaled.view(), a.writable(), BinaryKind::add});
}

void scale_(Tensor& x, double scale) {
  check_no_gradient("scale_", {x});
  const ConstView before = x.view();
  launch(x.device(),
         ElementwiseUnary{before, x.writable(), UnaryKind::affine, static_cast<float>(scale), 0});
}

}  // namespace burin
