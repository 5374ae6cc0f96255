#pragma once

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// exp(x), within 2 ulp; 0 below the smallest normal number, infinity above the largest; NaN stays.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2; exp(r) by a polynomial (Cephes' expf), n added to its
/// exponent's bits.
inline Vector exponential(const Vector& x) {
  constexpr float highest = 88.72283f, lowest = -87.33654f;
  constexpr float round_to_integer = 12582912.0f;  // 1.5 · 2²³: its sums have no fraction bits
  const Vector shifted = x * 1.44269504088896341f + round_to_integer;  // ends with the bits of n
  const Vector n = shifted - round_to_integer;
  const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = Vector{} + 1.9875691500e-4f;
  for (const float coefficient :
       {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = p * r + coefficient;
  }
  const Vector mantissa = p * r * r + r + 1.0f;
  const auto result = reinterpret_cast<Vector>(reinterpret_cast<Bits>(mantissa) +
                                               (reinterpret_cast<Bits>(shifted) << 23));
  const Vector not_below = x < lowest ? Vector{} : result;
  return x <= highest ? not_below : x + __builtin_inff();  // NaN is not below it either
}

}  // namespace
}  // namespace burin::cpu
