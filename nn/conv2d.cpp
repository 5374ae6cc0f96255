#include "burin/nn/conv2d.h"

#include <cmath>

#include "burin/nn/init.h"

namespace burin::nn {

Conv2d::Conv2d(const Conv2dOptions& opts, Generator& generator) : options(opts) {
  check(opts.groups > 0 && opts.in_channels % opts.groups == 0, "Conv2d: ", opts.in_channels,
        " input channels do not divide into ", opts.groups, " groups");
  const TensorOptions nhwc = {DType::f32, generator.state().device(), Layout::nhwc};
  weight =
      empty({opts.out_channels, opts.in_channels / opts.groups, opts.kernel, opts.kernel}, nhwc);
  kaiming_uniform_(weight, std::sqrt(5.0), generator);
  weight.set_requires_grad(true);
  if (opts.bias) {
    bias = empty({opts.out_channels}, nhwc);
    const double bound = 1 / std::sqrt(static_cast<double>(fans_of(weight).in));
    uniform_(bias, -bound, bound, generator);
    bias.set_requires_grad(true);
  }
}

Conv2dParams Conv2d::params() const {
  return {options.stride,   options.stride,   options.pad,   options.pad,
          options.dilation, options.dilation, options.groups};
}

Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, cast_.in(x.dtype(), weight), bias, params());
}

Tensor Conv2d::forward_fused(const Tensor& x, const Tensor& residual, Activation activation) {
  return conv2d_fused(x, cast_.in(x.dtype(), weight), bias, residual, activation, params());
}

void Conv2d::visit(Visitor& visitor) {
  visitor.parameter("weight", weight, cast_.copy());
  visitor.parameter("bias", bias);
}

std::string Conv2d::describe() const {
  std::string text = str("Conv2d(", options.in_channels, ", ", options.out_channels, ", kernel ",
                         options.kernel, "x", options.kernel);
  if (options.stride != 1) text += str(", stride ", options.stride);
  if (options.pad != 0) text += str(", pad ", options.pad);
  if (options.dilation != 1) text += str(", dilation ", options.dilation);
  if (options.groups != 1) text += str(", groups ", options.groups);
  return text + (options.bias ? ")" : ", no bias)");
}

}  // namespace burin::nn
