#pragma once

#include <algorithm>
#include <utility>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy of what uses this.
namespace {

/// Rows of C elements that a thread should have: about 16,000 elements.
inline int64_t row_grain(int64_t C) {
  return ceil_div(16 * 1024, std::max<int64_t>(C, 1));
}

/// `count` ≤ lanes neighbours, widened; minus infinity behind them.
template <class T>
Vector load_or_lowest(const T* from, int64_t count) {
  if (count == lanes) return load_widened(from);
  Vector v = Vector{} - __builtin_inff();
  for (int64_t i = 0; i < count; ++i) v[i] = static_cast<float>(from[i]);
  return v;
}

/// The first `count` ≤ lanes values, zeros behind them.
inline Vector only_first(Vector v, int64_t count) {
  for (int64_t i = count; i < lanes; ++i) v[i] = 0;
  return v;
}

/// Adds the first `count` ≤ lanes values.
inline void add_channels(float* to, const Vector& v, int64_t count) {
  store_channels(to, load_channels(to, count) + v, count);
}

/// Calls f(first, count) for the stretches of `lanes` elements and less that make up [begin, end).
template <class F>
void for_stretches(int64_t begin, int64_t end, const F& f) {
  int64_t c = begin;
  for (; c + lanes <= end; c += lanes) f(c, int64_t{lanes});
  if (c < end) f(c, end - c);
}

template <int by, size_t... i>
Vector rotated(const Vector& v, std::index_sequence<i...> /*lanes*/) {
  return __builtin_shufflevector(v, v, ((i + by) % lanes)...);
}

/// The lanes taken together pairwise by f(vector, vector).
template <int half = lanes / 2, class F>
float fold_lanes(const Vector& v, const F& f) {
  const Vector folded = f(v, rotated<half>(v, std::make_index_sequence<lanes>()));
  if constexpr (half == 1) {
    return folded[0];
  } else {
    return fold_lanes<half / 2>(folded, f);
  }
}

struct VectorPair {
  Vector first{}, second{};
};

struct Sums {
  double first = 0, second = 0;
};

/// Σ over both members of what terms(first, count) returns for each stretch of [0, C): short sums
/// in f32, theirs in double, as f32 would lose digits with a thousand terms of one sign.
template <class Terms>
Sums sums_of(int64_t C, const Terms& terms) {
  constexpr int64_t block = 16 * lanes;
  const auto add = [](const Vector& a, const Vector& b) { return a + b; };
  Sums sums;
  for (int64_t begin = 0; begin < C; begin += block) {
    VectorPair short_sums;
    for_stretches(begin, std::min(begin + block, C), [&](int64_t first, int64_t count) {
      const VectorPair more = terms(first, count);
      short_sums.first += more.first;
      short_sums.second += more.second;
    });
    sums.first += static_cast<double>(fold_lanes(short_sums.first, add));
    sums.second += static_cast<double>(fold_lanes(short_sums.second, add));
  }
  return sums;
}

template <class Terms>
double sum_of(int64_t C, const Terms& terms) {
  return sums_of(C,
                 [&](int64_t first, int64_t count) {
                   return VectorPair{terms(first, count), {}};
                 })
      .first;
}

/// The largest element; where there is NaN, any value: the sum of exponentials is NaN then.
template <class T>
float top_of(const T* x, int64_t C) {
  Vector tops = load_or_lowest(x, std::min<int64_t>(C, lanes));
  for_stretches(0, C, [&](int64_t first, int64_t count) {
    const Vector v = load_or_lowest(x + first, count);
    tops = v > tops ? v : tops;
  });
  return fold_lanes(tops, [](const Vector& a, const Vector& b) { return b > a ? b : a; });
}

}  // namespace
}  // namespace burin::cpu
