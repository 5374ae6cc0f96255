#pragma once

#include "burin/kernels/activation.h"
#include "burin/kernels/cpu/support/exponential.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy of what uses this.
namespace {

inline Vector sigmoid(const Vector& x) {
  return 1 / (1 + exponential(-x));
}

/// Φ(x) = erfc(−x / √2) / 2, the normal distribution's, within 6·10⁻⁷ of its value for |x| ≤ 1.
/// Press et al. 1992, "Numerical Recipes in C", 6.2: a polynomial in the exponent.
inline Vector normal_cdf(const Vector& x) {
  const Vector z = (x < 0.0f ? -x : x) * 0.70710678118654752f;
  const Vector t = 1 / (1 + 0.5f * z);
  Vector p = Vector{} + 0.17087277f;
  for (const float coefficient : {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
                                  -0.18628806f, 0.09678418f, 0.37409196f, 1.00002368f}) {
    p = p * t + coefficient;
  }
  const Vector tail = 0.5f * t * exponential(p * t - 1.26551223f - z * z);
  return x > 0.0f ? 1 - tail : tail;
}

inline Vector normal_density(const Vector& x) {
  return 0.39894228040143268f * exponential(-0.5f * x * x);
}

/// (1 + tanh(u)) / 2 = sigmoid(2u), which loses no digits where tanh is near −1; 2u here.
inline Vector gelu_tanh_inner(const Vector& x) {
  return 1.5957691216057308f * (x + 0.044715f * x * x * x);
}

/// With s = sigmoid(2u): s + x · s · (1 − s) · (2u)′, and 1 − s as exp(−2u) · s, its digits kept.
inline Vector gelu_tanh_slope(const Vector& x) {
  const Vector inner = gelu_tanh_inner(x);
  const Vector e = exponential(-inner);
  const Vector s = 1 / (1 + e);
  const Vector slope = s + x * s * (e * s) * 1.5957691216057308f * (1 + 3 * 0.044715f * x * x);
  return inner < -87.0f ? Vector{} : slope;  // before e is infinite
}

/// Calls use(f, gradient) with the function and gradient(dy, saved): dy times its derivative, as
/// written in the saved value.
template <class Use>
void with_activation(Activation kind, const Use& use) {
  switch (kind) {
    case Activation::none:
      return use([](const Vector& x) { return x; },
                 [](const Vector& dy, const Vector&) { return dy; });
    case Activation::relu:  // written so that NaN, which compares as false, passes
      return use([](const Vector& x) { return x <= 0.0f ? Vector{} : x; },
                 [](const Vector& dy, const Vector& y) { return y <= 0.0f ? Vector{} : dy; });
    case Activation::gelu:
      return use([](const Vector& x) { return x * normal_cdf(x); },
                 [](const Vector& dy, const Vector& x) {
                   return dy * (normal_cdf(x) + x * normal_density(x));
                 });
    case Activation::gelu_tanh:
      return use([](const Vector& x) { return x * sigmoid(gelu_tanh_inner(x)); },
                 [](const Vector& dy, const Vector& x) { return dy * gelu_tanh_slope(x); });
    case Activation::sigmoid:
      return use(sigmoid, [](const Vector& dy, const Vector& y) { return dy * (y * (1 - y)); });
  }
}

}  // namespace
}  // namespace burin::cpu
