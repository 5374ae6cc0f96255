#pragma once

#include <string_view>

#include "burin/kernels/op.h"

namespace burin {

/// Pointwise non-linearities, also as the epilogue of a convolution or a matmul.
enum class Activation : uint8_t {
  none,
  relu,       // max(x, 0); NaN stays NaN
  gelu,       // x · Φ(x), exact (erf). Hendrycks & Gimpel 2016, arXiv:1606.08415
  gelu_tanh,  // its tanh approximation
  sigmoid,    // 1 / (1 + exp(−x))
};

std::string_view name_of(Activation activation);

/// y = f(x)
struct ActivationForward {
  static constexpr std::string_view name = "activation_forward";
  ConstView x;  // any shape; f32, bf16 or f16; dense in some layout
  View y;       // shape, dtype and strides of x; may be x
  Activation activation;
};

/// dx = dy · f′
struct ActivationBackward {
  static constexpr std::string_view name = "activation_backward";
  ConstView dy;
  ConstView saved;  // y for relu and sigmoid, x for the others; relu passes no gradient where y = 0
  View dx;          // shape, dtype and strides of dy and saved; may be dy
  Activation activation;
};

}  // namespace burin
