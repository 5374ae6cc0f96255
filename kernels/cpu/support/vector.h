#pragma once

#ifdef __F16C__
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "burin/kernels/base/half.h"
#include "burin/kernels/cpu/support/convert.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy of what uses this: nothing here may be shared between
// them by the linker.
namespace {

/// How many floats the widest register has of the level this file is compiled for. (clang's
/// __BIGGEST_ALIGNMENT__ is 16 at every level.)
#if defined(__AVX512F__)
inline constexpr int lanes = 16;
#elif defined(__AVX__)
inline constexpr int lanes = 8;
#else
inline constexpr int lanes = 4;
#endif
using Vector = float __attribute__((vector_size(lanes * 4)));
using IntVector = int32_t __attribute__((vector_size(lanes * 4)));
using Bits = uint32_t __attribute__((vector_size(lanes * 4)));
using Halves = uint16_t __attribute__((vector_size(lanes * 2)));
using PairsOfHalves = uint16_t __attribute__((vector_size(lanes * 4)));

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
  for (int i = 0; i < lanes && i < count; ++i) values[i] = static_cast<float>(from[i * stride]);
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
/// The halves become the upper ones of words, between zeros.
template <size_t... i>
inline Vector widened(const Halves& halves, std::index_sequence<i...> /*2 · lanes*/) {
  return reinterpret_cast<Vector>(
      __builtin_shufflevector(halves, Halves{}, (i % 2 == 0 ? lanes : static_cast<int>(i / 2))...));
}
template <>
inline Vector load_widened(const bfloat16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return widened(halves, std::make_index_sequence<2 * lanes>());
}
#ifdef __F16C__  // one instruction; without it, arithmetic on the bits
template <>
inline Vector load_widened(const float16* from) {
#ifdef __AVX512F__
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#else
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#endif
}
#endif

/// `count` ≤ lanes neighbours, widened; zeros behind them.
template <class T>
inline Vector load_channels(const T* from, int64_t count) {
  return count == lanes ? load_widened(from) : load_elements(from, 1, count);
}

/// A full vector of neighbours, narrowed as kernels/copy.h says; integers are truncated only.
template <class T>
inline void store_narrowed(T* to, const Vector& value) {
#pragma omp simd
  for (int i = 0; i < lanes; ++i) {
    if constexpr (std::is_integral_v<T>) {
      to[i] = static_cast<T>(value[i]);
    } else {
      to[i] = convert<T>(value[i]);
    }
  }
}
template <>
inline void store_narrowed(float* to, const Vector& value) {
  store(to, value);
}
template <size_t... i>
inline Halves upper_halves(const PairsOfHalves& words, std::index_sequence<i...> /*lanes*/) {
  return __builtin_shufflevector(words, words, static_cast<int>(2 * i + 1)...);
}
/// The upper 16 bits of every lane.
inline void store_upper_halves(void* to, const Bits& words) {
  const Halves halves = upper_halves(reinterpret_cast<PairsOfHalves>(words),
                                     std::make_index_sequence<static_cast<size_t>(lanes)>());
  std::memcpy(to, &halves, sizeof halves);
}
/// Rounds as bfloat16's constructor does.
template <>
inline void store_narrowed(bfloat16* to, const Vector& value) {
  const auto bits = reinterpret_cast<Bits>(value);
  const Bits rounded = bits + 0x7fff + ((bits >> 16) & 1);
  store_upper_halves(to, value == value ? rounded : bits | 0x400000);
}
#ifdef __F16C__
template <>
inline void store_narrowed(float16* to, const Vector& value) {
#ifdef __AVX512F__
  const __m256i halves = _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
#else
  const __m128i halves = _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), halves);
#endif
}
#endif

/// The first `count` ≤ lanes elements, narrowed.
template <class T>
inline void store_channels(T* to, const Vector& value, int64_t count) {
  if (count == lanes) return store_narrowed(to, value);
  T values[lanes];
  store_narrowed(values, value);
  for (int i = 0; i < lanes && i < count; ++i) to[i] = values[i];
}

}  // namespace
}  // namespace burin::cpu
