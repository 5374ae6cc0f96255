#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// y = x, element by element in logical order: a cast, a change of layout, a permutation or a
/// broadcast (a stride of 0 in x), on one device.
///
/// Casts: to bf16 and f16 round to nearest even (integers by way of f32); to integers truncate
/// toward zero and saturate, NaN becomes 0.
struct Copy {
  static constexpr std::string_view name = "copy";
  ConstView x;  // any dtype, any strides
  View y;       // shape of x, any dtype, any strides without overlap
};

}  // namespace burin
