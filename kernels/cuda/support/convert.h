#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace burin::cuda {

/// Truncates toward zero and saturates; NaN becomes 0.
template <class Integer, class Real>
__device__ Integer saturated(Real value) {
  using Limits = std::numeric_limits<Integer>;
  // Exact in Real, unlike max(): 2^8, 2^31, 2^63.
  constexpr Real above = static_cast<Real>(Limits::max() / 2 + 1) * 2;
  constexpr Real lowest = static_cast<Real>(Limits::min());
  if (!(value == value)) return 0;
  if (value >= above) return Limits::max();
  if (value <= lowest) return Limits::min();
  return static_cast<Integer>(value);
}

/// One element from one dtype to another, as kernels/copy.h says.
template <class To, class From>
__device__ To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (!std::is_integral_v<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<From>) {
    using Limits = std::numeric_limits<To>;
    const int64_t wide = static_cast<int64_t>(value);
    if (wide > static_cast<int64_t>(Limits::max())) return Limits::max();
    if (wide < static_cast<int64_t>(Limits::min())) return Limits::min();
    return static_cast<To>(wide);
  } else if constexpr (std::is_same_v<From, double>) {
    return saturated<To>(value);
  } else {
    return saturated<To>(static_cast<float>(value));
  }
}

}  // namespace burin::cuda
