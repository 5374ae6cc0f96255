#pragma once

#include <cmath>

#include "burin/kernels/activation.h"

namespace burin::cpu {

inline float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

inline float gelu(float x) {
  return 0.5f * x * std::erfc(-x * 0.70710678118654752f);
}

inline float gelu_slope(float x) {
  const float cdf = 0.5f * std::erfc(-x * 0.70710678118654752f);
  return cdf + x * 0.39894228040143268f * std::exp(-0.5f * x * x);
}

inline float gelu_inner(float x) {
  return 0.79788456080286536f * (x + 0.044715f * x * x * x);
}

inline float gelu_tanh(float x) {
  return 0.5f * x * (1 + std::tanh(gelu_inner(x)));
}

inline float gelu_tanh_slope(float x) {
  const float t = std::tanh(gelu_inner(x));
  const float dt = (1 - t * t) * 0.79788456080286536f * (1 + 3 * 0.044715f * x * x);
  return 0.5f * (1 + t) + 0.5f * x * dt;
}

/// Calls use(f, gradient) with the function and gradient(dy, saved): dy times its derivative, as
/// written in the saved value.
template <class Use>
void with_activation(Activation kind, const Use& use) {
  switch (kind) {
    case Activation::none:
      return use([](float x) { return x; }, [](float dy, float) { return dy; });
    case Activation::relu:  // written so that NaN, which compares as false, passes
      return use([](float x) { return x <= 0 ? 0.0f : x; },
                 [](float dy, float y) { return y <= 0 ? 0.0f : dy; });
    case Activation::gelu:
      return use(gelu, [](float dy, float x) { return dy * gelu_slope(x); });
    case Activation::gelu_tanh:
      return use(gelu_tanh, [](float dy, float x) { return dy * gelu_tanh_slope(x); });
    case Activation::sigmoid:
      return use(sigmoid, [](float dy, float y) { return dy * (y * (1 - y)); });
  }
}

}  // namespace burin::cpu
