#pragma once

#include <cmath>

#include "burin/kernels/activation.h"
#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// f(x). All threads of a launch have the same kind, so the branch costs next to nothing.
__device__ inline float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x <= 0 ? 0.0f : x;  // written so that NaN, which compares as false, passes
    case Activation::gelu:
      return 0.5f * x * erfcf(-x * 0.70710678118654752f);
    case Activation::gelu_tanh:
      return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case Activation::sigmoid:
      return 1 / (1 + expf(-x));
  }
  return x;
}

/// The same for eight: the branch of the two kinds that are quick is taken once.
__device__ inline void activate(Activation kind, float (&values)[8]) {
  if (kind == Activation::none) return;
  if (kind == Activation::relu) {
    for (float& value : values) value = activate(Activation::relu, value);
    return;
  }
  for (float& value : values) value = activate(kind, value);
}

/// dy · f′, with f′ as a function of what was saved: y for relu and sigmoid, x for the others.
__device__ inline float activation_gradient(Activation kind, float dy, float saved) {
  switch (kind) {
    case Activation::none:
      return dy;
    case Activation::relu:
      return saved <= 0 ? 0.0f : dy;  // no product: dy may be infinite
    case Activation::gelu: {
      const float cdf = 0.5f * erfcf(-saved * 0.70710678118654752f);
      return dy * (cdf + saved * 0.39894228040143268f * expf(-0.5f * saved * saved));
    }
    case Activation::gelu_tanh: {
      // With (1 + tanh(u)) / 2 = s = sigmoid(2u), whose 1 − s is exp(−2u) · s, no digits are lost.
      const float inner = 1.5957691216057308f * (saved + 0.044715f * saved * saved * saved);
      const float e = expf(-inner), s = 1 / (1 + e);
      const float inner_slope = 1.5957691216057308f * (1 + 3 * 0.044715f * saved * saved);
      const float slope = s + saved * s * (e * s) * inner_slope;
      return dy * (inner < -87.0f ? 0.0f : slope);  // before e is infinite
    }
    case Activation::sigmoid:
      return dy * (saved * (1 - saved));
  }
  return dy;
}

}  // namespace burin::cuda
