#pragma once

#include <cmath>

#include "burin/kernels/base/dtype.h"

namespace burin::checks {

/// Unit roundoff: half the distance from 1 to the next number. 0 for integers.
constexpr double unit_roundoff(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 0x1p-24;
    case DType::bf16:
      return 0x1p-8;
    case DType::f16:
      return 0x1p-11;
    default:
      return 0;
  }
}

/// What the definition says of one element.
struct Expected {
  double value = 0;
  /// √(Σ products²) of the sum behind it, = √terms · rms(products): the size of the rounding errors
  /// that f32 accumulation makes. For a formula without a sum, the size of its largest
  /// intermediate.
  double scale = 0;
};

/// |actual − value| may be at most u(output) · |value| + factor · u(f32) · scale.
/// The second term lets f32 sums run in any order. u(bf16) · √terms would accept an all-zero
/// gradient. The smallest normal is added because below it no relative error can be promised.
inline double tolerance(const Expected& expected, DType output, double factor) {
  const double smallest = output == DType::f16 ? 0x1p-24 : 0x1p-126;
  return 1.01 * unit_roundoff(output) * std::abs(expected.value) +
         factor * unit_roundoff(DType::f32) * expected.scale + smallest;
}

/// Default factor: a blocked sum's error is a small multiple of √terms · u · rms.
inline constexpr double default_factor = 8;

}  // namespace burin::checks
