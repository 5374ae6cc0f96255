#pragma once

#include "burin/kernels/op.h"

namespace burin {

enum class BinaryKind : uint8_t { add, subtract, multiply, divide, maximum, minimum };

/// y = a ∘ b with broadcasting: an extent of 1 in a or b stretches to y's. (The caller has aligned
/// the ranks.) maximum and minimum yield NaN where either side is NaN.
struct ElementwiseBinary {
  static constexpr std::string_view name = "elementwise_binary";
  ConstView a;  // f32, bf16, f16, or i64 (wraps around; not for divide); any strides
  ConstView b;  // dtype and rank of a
  View y;       // dtype of a, the broadcast shape, any strides; may be a or b where shapes agree
  BinaryKind kind;
};

/// What of this a problem does not keep, in words; empty if it is sound.
Refusal breach_of(const ElementwiseBinary& op);

/// Strides of `x` seen in the shape of y: 0 along what stretches.
Strides broadcast_strides(const ConstView& x, const Shape& shape);

enum class UnaryKind : uint8_t {
  affine,  // scale · x + shift
  exp,
  log,  // natural
  sqrt,
  reciprocal,
  abs,
  sign,  // −1, 0, 1; NaN stays NaN
};

/// y = f(x)
struct ElementwiseUnary {
  static constexpr std::string_view name = "elementwise_unary";
  ConstView x;  // f32, bf16 or f16; dense in some layout
  View y;       // shape, dtype and strides of x; may be x
  UnaryKind kind;
  float scale = 1;  // of affine
  float shift = 0;  // of affine
};

}  // namespace burin
