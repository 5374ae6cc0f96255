#include "burin/tensor/ops/matmul.h"

#include "burin/kernels/matmul.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/views.h"

namespace burin {
namespace {

/// The last two dimensions exchanged.
ConstView transposed(const Tensor& x) {
  ConstView view = x.view();
  const int r = view.rank();
  std::swap(view.shape[r - 2], view.shape[r - 1]);
  std::swap(view.strides[r - 2], view.strides[r - 1]);
  return view;
}

/// x with rows or columns that are dense, as the kernels read them; a recorded copy if neither are.
Tensor in_lines(const Tensor& x) {
  const auto dense = [&](int i) { return x.strides()[i] == 1 || x.dim(i) == 1; };
  return dense(x.rank() - 1) || dense(x.rank() - 2) ? x : contiguous(x);
}

/// The view of what is met once: no family shall think of keeping a packed copy.
ConstView unnamed(const Tensor& x) {
  ConstView view = x.view();
  view.key = {};
  return view;
}

/// a · b into a new tensor of `dtype`.
Tensor product(const ConstView& a, const ConstView& b, DType dtype, Device device,
               const Epilogue& epilogue = {}) {
  Shape shape = a.shape;
  shape[shape.rank() - 1] = b.shape.back();
  Tensor y = empty(shape, {dtype, device});
  launch(device, Matmul{a, b, y.writable(), epilogue});
  return y;
}

void check_linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check(w.rank() == 2 && x.rank() >= 1, "linear: weight ", w.shape(), " must be [K, C], input ",
        x.shape(), " […, C]");
  check(x.dim(-1) == w.dim(1), "linear: weight ", w.shape(), " expects ", w.dim(1),
        " input features, input ", x.shape(), " has ", x.dim(-1));
  check(w.dim(1) > 0, "linear: weight ", w.shape(), " is empty");
  check_same_device("linear", {{"x", x}, {"weight", w}, {"bias", bias}});
  check(x.dtype() == w.dtype(), "linear: input is ", x.dtype(), ", weight is ", w.dtype());
  check(!bias.defined() || bias.shape() == Shape{w.dim(0)}, "linear: weight ", w.shape(),
        " expects a bias of shape [", w.dim(0), "]");
  check_f32_lists("linear", {{"bias", bias}});
  check(x.is_contiguous(), "linear: input ", x.shape(), " must be contiguous");
}

}  // namespace

Tensor matmul(const Tensor& left, const Tensor& right) {
  check(left.rank() == right.rank() && (left.rank() == 2 || left.rank() == 3),
        "matmul: ", left.shape(), " and ", right.shape(),
        " must both be matrices, or both batches of matrices");
  check(left.dim(-1) == right.dim(-2) && (left.rank() == 2 || left.dim(0) == right.dim(0)),
        "matmul: ", left.shape(), " · ", right.shape(), ": the inner extents ", left.dim(-1),
        " and ", right.dim(-2), " must agree");
  check_same_device("matmul", {{"a", left}, {"b", right}});
  check(left.dtype() == right.dtype(), "matmul: ", left.dtype(), " and ", right.dtype(), " differ");
  const Tensor a = in_lines(left), b = in_lines(right);
  Shape y_shape = a.shape();
  y_shape[y_shape.rank() - 1] = b.dim(-1);
  const Tensor y = a.dim(-1) == 0 ? zeros(y_shape, {a.dtype(), a.device()})  // sums of nothing
                                  : product(a.view(), b.view(), a.dtype(), a.device());
  return record(
      "matmul", y, {a, b}, [a = save(a), b = save(b)](const Tensor& dy, Gradients& grads) {
        if (grads.wanted(0)) {
          grads.set(0, product(dy.view(), transposed(b.get()), dy.dtype(), dy.device()));
        }
        if (grads.wanted(1)) {
          grads.set(1, product(transposed(a.get()), unnamed(dy), dy.dtype(), dy.device()));
        }
      });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const LinearEpilogue& epilogue) {
  check_linear(x, weight, bias);
  const Tensor w = in_lines(weight);
  // One product whatever the leading dimensions are.
  const int64_t K = w.dim(0);
  Shape y_shape = x.shape();
  y_shape[y_shape.rank() - 1] = K;
  const Tensor& residual = epilogue.residual;
  check(!residual.defined() || (residual.shape() == y_shape && residual.dtype() == x.dtype() &&
                                residual.is_contiguous()),
        "linear: the residual must be ", x.dtype(), ' ', y_shape, ", contiguous");
  check_same_device("linear", {{"x", x}, {"residual", residual}});
  check(epilogue.activation == Activation::none || !records({x, w, bias, residual}),
        "linear: a fused activation has no gradient: use it for inference");
  const Tensor x2 = as_rows(x);
  const Tensor y2 =
      product(x2.view(), transposed(w), x.dtype(), x.device(),
              {.bias = view_or_absent(bias),
               .residual = residual.defined() ? as_rows(residual).view() : ConstView(),
               .activation = epilogue.activation});
  const Tensor y = y2.alias(y_shape, contiguous_strides(y_shape));
  return record(
      "linear", y, {x, w, bias, residual},
      [x2 = save(x2), w = save(w), x_shape = x.shape()](const Tensor& dy, Gradients& grads) {
        const Tensor dy2 = as_rows(dy);
        if (grads.wanted(0)) {
          const Tensor dx = product(dy2.view(), w.get().view(), dy.dtype(), dy.device());
          grads.set(0, dx.alias(x_shape, contiguous_strides(x_shape)));
        }
        if (grads.wanted(1)) {
          grads.set(1, product(transposed(dy2), unnamed(x2.get()), DType::f32, dy.device()));
        }
        if (grads.wanted(2)) grads.set(2, sum_to(dy2, {dy.dim(-1)}, {0}));
        if (grads.wanted(3)) grads.set(3, dy);
      });
}

}  // namespace burin
