#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "burin/kernels/base/half.h"

namespace burin::cpu {

/// The type T is computed in: float for the floating dtypes, T itself for integers.
template <class T>
using Arithmetic = std::conditional_t<std::is_integral_v<T>, T, float>;

/// Truncates toward zero and saturates; NaN becomes 0.
template <class Integer, class Real>
Integer saturated(Real value) {
  using Limits = std::numeric_limits<Integer>;
  // Exact in Real, unlike max(): 2^8, 2^31, 2^63.
  constexpr Integer half = Limits::max() / 2 + 1;
  constexpr Real above = static_cast<Real>(half) * 2;
  constexpr Real lowest = static_cast<Real>(Limits::min());
  if (!(value == value)) return 0;
  if (value >= above) return Limits::max();
  if (value <= lowest) return Limits::min();
  return static_cast<Integer>(value);
}

/// One element from one dtype to another, as kernels/copy.h says. In a loop under `omp simd` write
/// this and not To(value): g++ 12 does not vectorise a loop that makes a bfloat16 in place.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (!std::is_integral_v<To>) {
    return static_cast<To>(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<From>) {
    using Limits = std::numeric_limits<To>;
    return static_cast<To>(std::clamp<int64_t>(value, Limits::min(), Limits::max()));
  } else if constexpr (std::is_same_v<From, double>) {
    return saturated<To>(value);
  } else {
    return saturated<To>(static_cast<float>(value));
  }
}

/// to[i] = from[i · stride], widened, for i < count.
template <class T>
void copy_channels(const T* from, int64_t stride, float* to, int64_t count) {
  if (stride == 1) {
    for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[c]);
  } else {
    for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[c * stride]);
  }
}

}  // namespace burin::cpu
