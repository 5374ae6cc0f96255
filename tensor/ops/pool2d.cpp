#include "burin/tensor/ops/pool2d.h"

#include <limits>

#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/shape.h"

namespace burin {

Shape pooled_shape(const char* op, const Tensor& x, const Pool2dParams& params) {
  check(x.rank() == 4, op, ": input ", x.shape(), " must be [N, C, H, W]");
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  const auto positive = [](int64_t value) { return value > 0 && value <= most; };
  check(positive(params.kernel_h) && positive(params.kernel_w) && positive(params.stride_h) &&
            positive(params.stride_w),
        op, ": kernel ", params.kernel_h, ", ", params.kernel_w, " and stride ", params.stride_h,
        ", ", params.stride_w, " must be positive, none above ", most);
  check(params.pad_h >= 0 && params.pad_w >= 0 && params.pad_h <= params.kernel_h / 2 &&
            params.pad_w <= params.kernel_w / 2,
        op, ": pad ", params.pad_h, ", ", params.pad_w, " must be at most half of the kernel ",
        params.kernel_h, ", ", params.kernel_w);
  const int64_t P = params.output_h(x.dim(2));
  const int64_t Q = params.output_w(x.dim(3));
  check(x.dim(2) + 2 * params.pad_h >= params.kernel_h &&
            x.dim(3) + 2 * params.pad_w >= params.kernel_w && P > 0 && Q > 0,
        op, ": the kernel ", params.kernel_h, " x ", params.kernel_w,
        " does not fit into the padded input ", x.shape());
  return {x.dim(0), x.dim(1), P, Q};
}

Tensor max_pool2d(const Tensor& x, const Pool2dParams& params) {
  Tensor y = empty(pooled_shape("max_pool2d", x, params), x.options());
  if (!records({x})) {
    launch(x.device(), MaxPool2dForward{x.view(), y.writable(), {}, params});
    return y;
  }
  Tensor index = empty(y.shape(), {DType::i32, x.device(), x.layout()});
  launch(x.device(), MaxPool2dForward{x.view(), y.writable(), index.writable(), params});
  return record(
      "max_pool2d", y, {x},
      [index = save(index), shape = x.shape(), options = x.options(), params](const Tensor& dy,
                                                                              Gradients& grads) {
        Tensor dx = empty(shape, options);
        launch(dy.device(), MaxPool2dBackward{dy.view(), index.view(), dx.writable(), params});
        grads.set(0, dx);
      });
}

Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params) {
  Tensor y = empty(pooled_shape("avg_pool2d", x, params), x.options());
  launch(x.device(), AvgPool2dForward{x.view(), y.writable(), params});
  return record(
      "avg_pool2d", y, {x},
      [shape = x.shape(), options = x.options(), params](const Tensor& dy, Gradients& grads) {
        Tensor dx = empty(shape, options);
        launch(dy.device(), AvgPool2dBackward{dy.view(), dx.writable(), params});
        grads.set(0, dx);
      });
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width) {
  check(x.rank() == 4 && height > 0 && width > 0, "adaptive_avg_pool2d: input ", x.shape(),
        " must be [N, C, H, W], the output ", height, " x ", width, " positive");
  Tensor y = empty({x.dim(0), x.dim(1), height, width}, x.options());
  launch(x.device(), AdaptiveAvgPool2dForward{x.view(), y.writable()});
  return record("adaptive_avg_pool2d", y, {x},
                [shape = x.shape(), options = x.options()](const Tensor& dy, Gradients& grads) {
                  Tensor dx = empty(shape, options);
                  launch(dy.device(), AdaptiveAvgPool2dBackward{dy.view(), dx.writable()});
                  grads.set(0, dx);
                });
}

Tensor global_avg_pool2d(const Tensor& x) {
  return flatten(adaptive_avg_pool2d(x, 1, 1));
}

}  // namespace burin
