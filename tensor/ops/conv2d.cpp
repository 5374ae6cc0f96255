#include "burin/tensor/ops/conv2d.h"

#include <limits>

#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/views.h"

namespace burin {
namespace {

void check_geometry(const Conv2dParams& p) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  const auto between = [](int64_t low, int64_t value) { return value >= low && value <= most; };
  check(between(1, p.stride_h) && between(1, p.stride_w) && between(0, p.pad_h) &&
            between(0, p.pad_w) && between(1, p.dilation_h) && between(1, p.dilation_w),
        "conv2d: stride ", p.stride_h, ", ", p.stride_w, " and dilation ", p.dilation_h, ", ",
        p.dilation_w, " must be positive, pad ", p.pad_h, ", ", p.pad_w,
        " not negative, none above ", most);
}

void check_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias,
                  const Conv2dParams& params) {
  check(x.rank() == 4 && w.rank() == 4, "conv2d: input ", x.shape(), " and weight ", w.shape(),
        " must both have four dimensions");
  check(w.numel() > 0, "conv2d: the weight ", w.shape(), " is empty");
  check(params.groups > 0 && w.dim(0) % params.groups == 0, "conv2d: ", w.dim(0),
        " output channels do not divide into ", params.groups, " groups");
  check_geometry(params);
  check(x.dim(1) == w.dim(1) * params.groups, "conv2d: weight ", w.shape(), " expects ",
        w.dim(1) * params.groups, " input channels (C / groups), input ", x.shape(), " has ",
        x.dim(1));
  check_same_device("conv2d", {{"x", x}, {"weight", w}, {"bias", bias}});
  check(x.dtype() == w.dtype(), "conv2d: input is ", x.dtype(), ", weight is ", w.dtype());
  check(!bias.defined() || bias.shape() == Shape{w.dim(0)}, "conv2d: weight ", w.shape(),
        " expects a bias of shape [", w.dim(0), "]");
  check_f32_lists("conv2d", {{"bias", bias}});
  check(params.output_h(x.dim(2), w.dim(2)) > 0 && params.output_w(x.dim(3), w.dim(3)) > 0,
        "conv2d: the filter ", w.shape(), " does not fit into the padded input ", x.shape());
}

Shape output_shape(const Tensor& x, const Tensor& w, const Conv2dParams& params) {
  return {x.dim(0), w.dim(0), params.output_h(x.dim(2), w.dim(2)),
          params.output_w(x.dim(3), w.dim(3))};
}

/// Where other users of x have been before, as around a residual block, the convolution's kernel
/// adds what they brought: that saves a pass over memory.
void set_gradient_of_x(Gradients& grads, const Tensor& dy, const Tensor& x, const Tensor& w,
                       const Conv2dParams& params) {
  Tensor dx = empty(x.shape(), x.options());
  const Conv2dBackwardData plain{dy.view(), w.view(), dx.writable(), params};
  const Tensor& so_far = grads.so_far(0);
  if (so_far.defined() && so_far.dtype() == dx.dtype() && so_far.strides() == dx.strides()) {
    Conv2dBackwardData adding = plain;
    adding.residual = so_far.view();
    if (takes_too(dy.device(), plain, adding)) {
      launch(dy.device(), adding);
      return grads.set_sum(0, std::move(dx));
    }
  }
  launch(dy.device(), plain);
  grads.set(0, dx);
}

/// In f32 whatever the activations' dtype: it goes to a master weight.
Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& w,
                              const Conv2dParams& params) {
  Tensor dw = empty(w.shape(), {DType::f32, w.device(), w.layout()});
  launch(dy.device(), Conv2dBackwardWeight{dy.view(), x.view(), dw.writable(), params});
  return dw;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params) {
  check_conv2d(x, w, bias, params);
  Tensor y = empty(output_shape(x, w, params), x.options());
  launch(x.device(),
         Conv2dForward{x.view(), w.view(), y.writable(), params, {view_or_absent(bias), {}}});
  return record("conv2d", y, {x, w, bias},
                [x = save(x), w = save(w), params](const Tensor& dy, Gradients& grads) {
                  if (grads.wanted(0)) set_gradient_of_x(grads, dy, x.get(), w.get(), params);
                  if (grads.wanted(1)) {
                    grads.set(1, conv2d_backward_weight(dy, x.get(), w.get(), params));
                  }
                  if (grads.wanted(2)) grads.set(2, sum_to(dy, {dy.dim(1)}, {0, 2, 3}));
                });
}

Tensor conv2d_fused(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& residual,
                    Activation activation, const Conv2dParams& params) {
  check_conv2d(x, w, bias, params);
  check(!records({x, w, bias, residual}),
        "conv2d_fused: for inference only, use it under NoGradGuard");
  Tensor y = empty(output_shape(x, w, params), x.options());
  Epilogue epilogue{view_or_absent(bias), {}, activation};
  Tensor added;
  if (residual.defined()) {
    check(residual.shape() == y.shape() && residual.dtype() == y.dtype(), "conv2d_fused: residual ",
          residual.dtype(), ' ', residual.shape(), " differs from the output ", y.dtype(), ' ',
          y.shape());
    check_same_device("conv2d_fused", {{"x", x}, {"residual", residual}});
    added = to_layout(residual, y.layout());  // kernels find both at one offset
    epilogue.residual = added.view();
  }
  launch(x.device(), Conv2dForward{x.view(), w.view(), y.writable(), params, epilogue});
  return y;
}

}  // namespace burin
