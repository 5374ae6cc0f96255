#include "burin/nn/mlp.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/activation.h"

namespace burin::nn {

Mlp::Mlp(int64_t features, int64_t hidden, bool with_grn, Generator& generator)
    : fc1(features, hidden, true, generator), fc2(hidden, features, true, generator) {
  if (with_grn) grn.emplace(hidden, generator.state().device());
}

Tensor Mlp::forward(const Tensor& x, const Tensor& residual) {
  // Backward needs the values before the gelu: only where none follows can the product end in it.
  const bool recorded = records({x, fc1.weight, fc1.bias});
  Tensor y = recorded ? gelu(fc1.forward(x)) : fc1.forward(x, {.activation = Activation::gelu});
  if (grn) y = grn->forward(y);
  return fc2.forward(y, {.residual = residual});
}

void Mlp::visit(Visitor& visitor) {
  visitor.child("fc1", fc1);
  if (grn) visitor.child("grn", *grn);
  visitor.child("fc2", fc2);
}

}  // namespace burin::nn
