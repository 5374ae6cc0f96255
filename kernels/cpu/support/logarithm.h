#pragma once

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// The natural logarithm, within 2 ulp; minus infinity of 0, NaN below.
///
/// x = 2ᵉ · m with √½ ≤ m < √2; log m by a polynomial in m − 1 (Cephes' logf).
inline Vector logarithm(const Vector& x) {
  const IntVector subnormal = x < 1.17549435e-38f;
  const IntVector bits = reinterpret_cast<IntVector>(subnormal ? x * 0x1p23f : x);
  const Vector half_up = reinterpret_cast<Vector>((bits & 0x7fffff) | 0x3f000000);  // in [½, 1)
  const IntVector small = half_up < 0.707106781f;
  const IntVector exponent = (bits >> 23) - 126 + small + (subnormal & -23);  // true is −1
  const Vector e = __builtin_convertvector(exponent, Vector);
  const Vector f = (small ? half_up + half_up : half_up) - 1.0f;
  Vector p = Vector{} + 7.0376836292e-2f;
  for (const float coefficient :
       {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
        2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f}) {
    p = p * f + coefficient;
  }
  const Vector square = f * f;
  const Vector low = f * square * p - 2.12194440e-4f * e - 0.5f * square;
  const Vector result = f + low + 0.693359375f * e;
  const Vector infinity = Vector{} + __builtin_inff();
  const Vector finite = x == infinity ? infinity : x == 0.0f ? -infinity : result;
  return ((x < 0.0f) | (x != x)) ? Vector{} + __builtin_nanf("") : finite;
}

}  // namespace
}  // namespace burin::cpu
