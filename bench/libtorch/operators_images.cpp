// Convolution, batch norm, pooling.
#include <vector>

#include "operators.h"
#include "tensors.h"

namespace burin::bench {
namespace {

using torch::Tensor;

struct Geometry {
  std::vector<int64_t> stride, pad, dilation;
  int64_t groups;

  explicit Geometry(const Conv2dParams& p)
      : stride{p.stride_h, p.stride_w},
        pad{p.pad_h, p.pad_w},
        dilation{p.dilation_h, p.dilation_w},
        groups(p.groups) {}
};

/// The gradients of x and w, of which one is computed.
Tensor convolution_gradient(const Tensor& dy, const Tensor& x, const Tensor& w, const Geometry& g,
                            bool of_weight) {
  const auto [dx, dw, db] =
      at::convolution_backward(dy, x, w, at::OptionalIntArrayRef(), g.stride, g.pad, g.dilation,
                               false, {0, 0}, g.groups, {!of_weight, of_weight, false});
  return of_weight ? dw : dx;
}

/// The mask of a ReLU as LibTorch has it: the output, here 1 where it was positive and 0 elsewhere.
Tensor output_of_mask(const ConstView& mask, const ConstView& like) {
  Tensor flat = torch::empty({like.numel()});
  float* const values = flat.data_ptr<float>();
  const auto* const bits = mask.as<uint8_t>();
  for (int64_t i = 0; i < like.numel(); ++i) values[i] = bits[i / 8] >> (i % 8) & 1 ? 1.0f : 0.0f;
  const Tensor target = tensor_of(like);
  return flat.to(target.scalar_type()).as_strided(target.sizes(), target.strides());
}

std::vector<int64_t> kernel_of(const Pool2dParams& p) {
  return {p.kernel_h, p.kernel_w};
}
std::vector<int64_t> stride_of(const Pool2dParams& p) {
  return {p.stride_h, p.stride_w};
}
std::vector<int64_t> pad_of(const Pool2dParams& p) {
  return {p.pad_h, p.pad_w};
}

}  // namespace

Operator operator_of(const Conv2dForward& op) {
  check(op.epilogue.empty(), "LibTorch's convolution has no epilogue");
  return [x = tensor_of(op.x), w = tensor_of(op.w), g = Geometry(op.params)] {
    return at::convolution(x, w, {}, g.stride, g.pad, g.dilation, false, {0, 0}, g.groups);
  };
}

Operator operator_of(const Conv2dBackwardData& op) {
  return [dy = tensor_of(op.dy), x = unread_like(op.dx), w = tensor_of(op.w),
          g = Geometry(op.params)] { return convolution_gradient(dy, x, w, g, false); };
}

Operator operator_of(const Conv2dBackwardWeight& op) {
  return [dy = tensor_of(op.dy), x = tensor_of(op.x), w = unread_like(op.dw),
          g = Geometry(op.params)] { return convolution_gradient(dy, x, w, g, true); };
}

Operator operator_of(const BatchNormTrain& op) {
  return [x = tensor_of(op.x), weight = tensor_of(op.weight), bias = tensor_of(op.bias),
          mean = torch::zeros({op.x.dim(1)}), variance = torch::ones({op.x.dim(1)}),
          residual = optional_of(op.residual), relu = op.relu, momentum = op.momentum,
          epsilon = op.epsilon] {
    const auto [y, saved_mean, saved_inverse_std] =
        at::native_batch_norm(x, weight, bias, mean, variance, true, momentum, epsilon);
    return finished(y, residual, relu ? Activation::relu : Activation::none);
  };
}

Operator operator_of(const BatchNormInference& op) {
  return [x = tensor_of(op.x), weight = tensor_of(op.weight), bias = tensor_of(op.bias),
          mean = tensor_of(op.mean), variance = tensor_of(op.variance),
          residual = optional_of(op.residual), relu = op.relu, epsilon = op.epsilon] {
    const auto [y, saved_mean, saved_inverse_std] =
        at::native_batch_norm(x, weight, bias, mean, variance, false, 0, epsilon);
    return finished(y, residual, relu ? Activation::relu : Activation::none);
  };
}

Operator operator_of(const BatchNormBackward& op) {
  check(op.batch_statistics, "LibTorch's row is that of training");
  return [dy = tensor_of(op.dy), x = tensor_of(op.x), weight = tensor_of(op.weight),
          mean = tensor_of(op.mean), inverse_std = tensor_of(op.inverse_std),
          y = op.relu_mask ? output_of_mask(op.relu_mask, op.dy) : Tensor()] {
    const Tensor behind_relu = y.defined() ? at::threshold_backward(dy, y, 0) : dy;
    return std::get<0>(at::native_batch_norm_backward(behind_relu, x, weight, {}, {}, mean,
                                                      inverse_std, true, 1e-5, {true, true, true}));
  };
}

Operator operator_of(const MaxPool2dForward& op) {
  return [x = tensor_of(op.x), p = op.params] {
    return std::get<0>(
        at::max_pool2d_with_indices(x, kernel_of(p), stride_of(p), pad_of(p), {1, 1}, p.ceil_mode));
  };
}

Operator operator_of(const MaxPool2dBackward& op) {
  const Tensor index = tensor_of(op.index).to(torch::kLong);
  return [dy = tensor_of(op.dy), x = unread_like(op.dx), index, p = op.params] {
    return at::max_pool2d_with_indices_backward(dy, x, kernel_of(p), stride_of(p), pad_of(p),
                                                {1, 1}, p.ceil_mode, index);
  };
}

Operator operator_of(const AdaptiveAvgPool2dForward& op) {
  return [x = tensor_of(op.x), P = op.y.dim(2), Q = op.y.dim(3)] {
    return at::adaptive_avg_pool2d(x, {P, Q});
  };
}

Operator operator_of(const AdaptiveAvgPool2dBackward& op) {
  return [dy = tensor_of(op.dy), x = unread_like(op.dx), P = op.dy.dim(2), Q = op.dy.dim(3)] {
    // One output is a mean, for which LibTorch has a way of its own.
    if (P == 1 && Q == 1)
      return (dy / (x.size(2) * x.size(3))).expand_as(x).contiguous(x.suggest_memory_format());
    return at::_adaptive_avg_pool2d_backward(dy, x);
  };
}

}  // namespace burin::bench
