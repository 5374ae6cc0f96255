#include "burin/models/conv_norm.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"

namespace burin::models {

nn::Conv2dOptions conv_without_bias(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return {.in_channels = in,
          .out_channels = out,
          .kernel = kernel,
          .stride = stride,
          .pad = kernel / 2,
          .bias = false};
}

Tensor conv_norm(nn::Conv2d& conv, nn::BatchNorm& norm, const Tensor& x,
                 const BatchNormEpilogue& epilogue) {
  if (!norm.folded) return norm.forward(conv.forward(x), epilogue);
  if (!records({x, conv.weight, conv.bias, epilogue.residual})) {
    return conv.forward_fused(x, epilogue.residual,
                              epilogue.relu ? Activation::relu : Activation::none);
  }
  Tensor y = conv.forward(x);
  if (epilogue.residual.defined()) y = y + epilogue.residual;
  return epilogue.relu ? relu(y) : y;
}

Tensor conv_norm_max_pool(nn::Conv2d& conv, nn::BatchNorm& norm, const Tensor& x,
                          const Pool2dParams& params) {
  if (norm.folded) return max_pool2d(conv_norm(conv, norm, x, {.relu = true}), params);
  return norm.forward_max_pool(conv.forward(x), params);
}

Tensor conv_relu(nn::Conv2d& conv, const Tensor& x) {
  if (records({x, conv.weight, conv.bias})) return relu(conv.forward(x));
  return conv.forward_fused(x, {}, Activation::relu);
}

void fold(nn::Conv2d& conv, nn::BatchNorm& norm) {
  check(!norm.training, "fold: the model must be in evaluation mode");
  if (norm.folded) return;
  const NoGradGuard no_grad;
  const Tensor scale =
      norm.state.weight.detach() / sqrt(affine(norm.state.running_variance, 1, norm.epsilon));
  const Tensor before = conv.bias.defined() ? conv.bias.detach() - norm.state.running_mean
                                            : affine(norm.state.running_mean, -1, 0);
  conv.bias = norm.state.bias.detach() + before * scale;
  conv.weight = conv.weight.detach() * reshape(scale, {scale.dim(0), 1, 1, 1});
  norm.folded = true;
}

}  // namespace burin::models
