#pragma once

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// exp(x), within 2 ulp; 0 below the smallest normal number, infinity above the largest; NaN stays.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2; exp(r) by a polynomial (Cephes' expf), 2ⁿ by its bits.
inline Vector exponential(Vector x) {
  constexpr float highest = 88.72283f, lowest = -87.33654f;
  constexpr float round_to_integer = 12582912.0f;  // 1.5 · 2²³: its sums have no fraction bits
  const IntVector too_low = x<lowest, too_high = x> highest;
  const Vector bounded = too_low ? Vector{} + lowest : too_high ? Vector{} + highest : x;
  const Vector n = (bounded * 1.44269504088896341f + round_to_integer) - round_to_integer;
  const Vector r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = Vector{} + 1.9875691500e-4f;
  for (const float coefficient :
       {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f}) {
    p = p * r + coefficient;
  }
  const Vector mantissa = p * r * r + r + 1.0f;
  // 2ⁿ in two factors: n may be 128, which has no bits of its own.
  const IntVector half = __builtin_convertvector(n, IntVector) >> 1;
  const IntVector rest = __builtin_convertvector(n, IntVector) - half;
  const auto power = [](IntVector k) { return reinterpret_cast<Vector>((k + 127) << 23); };
  const Vector result = mantissa * power(half) * power(rest);
  return too_low ? Vector{} : too_high ? Vector{} + __builtin_inff() : result;
}

}  // namespace
}  // namespace burin::cpu
