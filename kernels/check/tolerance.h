#pragma once

#include <cmath>
#include <limits>

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

/// What stands in an output of that dtype for a value too large for it: f16's infinity begins half
/// way between its largest number and 2^16; f32 and bf16 hold what cases compute.
inline double overflowed(double value, DType output) {
  constexpr double f16_overflow = 65520;
  const bool too_large = output == DType::f16 && std::abs(value) >= f16_overflow;
  return too_large ? std::copysign(std::numeric_limits<double>::infinity(), value) : value;
}

/// Default factor: a blocked sum's error is a small multiple of √terms · u · rms.
inline constexpr double default_factor = 8;

}  // namespace burin::checks
