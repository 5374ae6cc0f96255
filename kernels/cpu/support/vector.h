#pragma once

#include <cstdint>
#include <cstring>

#include "burin/kernels/base/half.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy of what uses this: nothing here may be shared between
// them by the linker.
namespace {

/// The widest register of the level this file is compiled for, as floats: 4, 8 or 16 of them.
inline constexpr int lanes = __BIGGEST_ALIGNMENT__ / 4;
using Vector = float __attribute__((vector_size(lanes * 4)));

inline Vector load(const float* from) {
  Vector result;
  std::memcpy(&result, from, sizeof result);
  return result;
}

inline void store(float* to, const Vector& value) {
  std::memcpy(to, &value, sizeof value);
}

/// `count` ≤ lanes elements `stride` apart, widened; zeros behind them.
template <class T>
inline Vector load_elements(const T* from, int64_t stride, int64_t count) {
  float values[lanes] = {};
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(from[i * stride]);
  return load(values);
}

/// A full vector of neighbours, widened.
template <class T>
inline Vector load_widened(const T* from) {
  float values[lanes];
  for (int i = 0; i < lanes; ++i) values[i] = static_cast<float>(from[i]);
  return load(values);
}
template <>
inline Vector load_widened(const float* from) {
  return load(from);
}

/// `count` ≤ lanes neighbours, widened; zeros behind them.
template <class T>
inline Vector load_channels(const T* from, int64_t count) {
  return count == lanes ? load_widened(from) : load_elements(from, 1, count);
}

}  // namespace
}  // namespace burin::cpu
