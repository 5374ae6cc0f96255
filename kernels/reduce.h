#pragma once

#include "burin/kernels/op.h"

namespace burin {

enum class ReduceKind : uint8_t { sum, mean, max, sum_of_squares };

/// y = reduction of x over every dimension in which y's extent is 1. Accumulated in f32 (at least);
/// long sums by parts, so that the error grows with the logarithm of the length. NaN wins in max.
struct Reduce {
  static constexpr std::string_view name = "reduce";
  ConstView x;  // f32, bf16 or f16; any strides
  View y;       // rank of x; dtype of x, or f32; any strides
  ReduceKind kind;
};

}  // namespace burin
