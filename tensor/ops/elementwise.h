#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Arithmetic with NumPy's broadcasting; both sides of one dtype. Throw Error where shapes do not
/// fit. Differentiable (maximum and minimum are not).
Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return subtract(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return multiply(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return divide(a, b);
}

/// scale · x + shift. Differentiable.
Tensor affine(const Tensor& x, double scale, double shift);
/// Pointwise functions of dense tensors. exp, log and sqrt are differentiable; a gradient asked of
/// the others is an error.
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor abs(const Tensor& x);

/// a ← a + scale · b, without a graph: a gradient asked of either is an error. Shapes must agree.
void add_(Tensor& a, const Tensor& b, double scale = 1);
/// x ← scale · x, likewise.
void scale_(Tensor& x, double scale);

}  // namespace burin
