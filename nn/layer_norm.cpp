#include "burin/nn/layer_norm.h"

#include "burin/tensor/ops/layer_norm.h"

namespace burin::nn {

LayerNorm::LayerNorm(int64_t channels, float eps, Device device)
    : weight(full({channels}, 1, {DType::f32, device})),
      bias(zeros({channels}, {DType::f32, device})),
      epsilon(eps) {
  weight.set_requires_grad(true);
  bias.set_requires_grad(true);
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, weight, bias, epsilon);
}

void LayerNorm::visit(Visitor& visitor) {
  visitor.parameter("weight", weight);
  visitor.parameter("bias", bias);
}

std::string LayerNorm::describe() const {
  return str("LayerNorm(", weight.dim(0), ")");
}

}  // namespace burin::nn
