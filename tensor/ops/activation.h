#pragma once

#include "burin/kernels/activation.h"
#include "burin/tensor/tensor.h"

namespace burin {

/// Pointwise non-linearities; any shape, dense. Differentiable.
Tensor activation(const Tensor& x, Activation kind);
inline Tensor relu(const Tensor& x) {
  return activation(x, Activation::relu);
}
inline Tensor gelu(const Tensor& x) {
  return activation(x, Activation::gelu);
}
inline Tensor gelu_tanh(const Tensor& x) {
  return activation(x, Activation::gelu_tanh);
}
inline Tensor sigmoid(const Tensor& x) {
  return activation(x, Activation::sigmoid);
}

}  // namespace burin
