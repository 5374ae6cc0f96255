#include "burin/nn/linear.h"

#include <cmath>

#include "burin/nn/init.h"

namespace burin::nn {

Linear::Linear(int64_t in_features, int64_t out_features, bool with_bias, Generator& generator) {
  const TensorOptions options = {DType::f32, generator.state().device()};
  weight = empty({out_features, in_features}, options);
  kaiming_uniform_(weight, std::sqrt(5.0), generator);
  weight.set_requires_grad(true);
  if (with_bias) {
    bias = empty({out_features}, options);
    const double bound = 1 / std::sqrt(static_cast<double>(in_features));
    uniform_(bias, -bound, bound, generator);
    bias.set_requires_grad(true);
  }
}

Tensor Linear::forward(const Tensor& x, const LinearEpilogue& epilogue) {
  return linear(x, cast_.in(x.dtype(), weight), bias, epilogue);
}

void Linear::visit(Visitor& visitor) {
  visitor.parameter("weight", weight, cast_.copy());
  visitor.parameter("bias", bias);
}

std::string Linear::describe() const {
  return str("Linear(", weight.dim(1), ", ", weight.dim(0), bias.defined() ? ")" : ", no bias)");
}

}  // namespace burin::nn
