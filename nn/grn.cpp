#include "burin/nn/grn.h"

#include "burin/tensor/ops/grn.h"

namespace burin::nn {

Grn::Grn(int64_t channels, Device device)
    : weight(zeros({channels}, {DType::f32, device})),
      bias(zeros({channels}, {DType::f32, device})) {
  weight.set_requires_grad(true);
  bias.set_requires_grad(true);
}

Tensor Grn::forward(const Tensor& x) {
  return grn(x, weight, bias);
}

void Grn::visit(Visitor& visitor) {
  visitor.parameter("weight", weight);
  visitor.parameter("bias", bias);
}

std::string Grn::describe() const {
  return str("Grn(", weight.dim(0), ")");
}

}  // namespace burin::nn
