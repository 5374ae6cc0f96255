#pragma once

#include "burin/kernels/activation.h"

namespace burin {

/// What may be fused behind a convolution or a matmul: y = activation(sum + bias + residual).
struct Epilogue {
  ConstView bias = {};      // [output channels] f32, or absent
  ConstView residual = {};  // shape, dtype and strides of y, or absent
  Activation activation = Activation::none;

  bool empty() const { return !bias && !residual && activation == Activation::none; }
};

}  // namespace burin
