#include "burin/tensor/ops/copy.h"

#include "burin/kernels/copy.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"

namespace burin {
namespace {

Tensor copied(const Tensor& x, const TensorOptions& options) {
  Tensor y = empty(x.shape(), options);
  launch(x.device(), Copy{x.view(), y.writable()});
  return y;
}

/// A recorded copy; its gradient comes back in the dtype and layout of x (f32 stays f32: it may be
/// on its way to a master weight).
Tensor recorded_copy(const char* name, const Tensor& x, const Tensor& y) {
  return record(name, y, {x}, [before = x.options()](const Tensor& dy, Gradients& grads) {
    const bool fits = dy.dtype() == before.dtype && dy.layout() == before.layout;
    grads.set(0, fits ? dy : copied(dy, before));
  });
}

Tensor recorded_copy(const char* name, const Tensor& x, const TensorOptions& options) {
  return recorded_copy(name, x, copied(x, options));
}

}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  TensorOptions options = x.options();
  options.dtype = dtype;
  if (!is_floating(dtype) || !is_floating(x.dtype())) return copied(x, options);
  return recorded_copy("cast", x, options);
}

Tensor recorded_cast(const Tensor& x, const Tensor& made) {
  return recorded_copy("cast", x, made.alias(made.shape(), made.strides()));
}

Tensor to_layout(const Tensor& x, Layout layout) {
  if (x.view().is_dense(layout)) return x;
  TensorOptions options = x.options();
  options.layout = layout;
  return recorded_copy("to_layout", x, options);
}

Tensor to_device(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  TensorOptions options = x.options();
  options.device = device;
  Tensor y = empty(x.shape(), options);
  copy_into(y, x.detach());
  return record("to_device", y, {x}, [home = x.device()](const Tensor& dy, Gradients& grads) {
    grads.set(0, to_device(dy, home));
  });
}

Tensor clone(const Tensor& x) {
  return recorded_copy("clone", x, x.options());
}

Tensor contiguous(const Tensor& x) {
  return x.is_contiguous() ? x : recorded_copy("contiguous", x, {x.dtype(), x.device()});
}

}  // namespace burin
