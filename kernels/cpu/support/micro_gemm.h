#pragma once

#include <array>
#include <utility>

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// A product of small matrices whose accumulators stay in registers.
///
///   y[m, n] (+)= Σ_sd a[m · a_row + s · a_segment + d · a_step] · b[(s · depth + d) · b_step + n]
///
/// for n < panel_width, s < segments, d < depth.
///
/// 6 × 2 vectors of accumulators use 12 of 16 registers; AVX-512 has 32.
inline constexpr int panel_width = 2 * lanes;
inline constexpr int most_rows = lanes == 16 ? 12 : 6;

template <class Word>
struct BasicMicroProduct {
  const Word* a;
  int64_t a_row, a_step;
  const Word* b;
  int64_t b_step;
  int64_t depth;
  float* y;
  int64_t y_row;
  bool accumulate;
  int64_t segments = 1, a_segment = 0;
};
using MicroProduct = BasicMicroProduct<float>;

/// Memory that is multiplied next, brought into the cache meanwhile, a line a step: the processor
/// itself does not look beyond a page of 4 KiB, and filters that are read once come from far away.
struct Ahead {
  const float* begin = nullptr;
  const float* end = nullptr;
};

template <int rows>
inline void store_sums(const Vector (&sums)[rows][2], float* y, int64_t y_row, bool accumulate) {
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m, y += y_row) {
    store(y, accumulate ? sums[m][0] + load(y) : sums[m][0]);
    store(y + lanes, accumulate ? sums[m][1] + load(y + lanes) : sums[m][1]);
  }
}

template <int rows>
void multiply_panel(const MicroProduct& p, const float* ahead) {
  Vector sums[rows][2] = {};
  const float* b = p.b;
  for (int64_t s = 0; s < p.segments; ++s) {
    const float* a = p.a + s * p.a_segment;
    for (int64_t d = 0; d < p.depth; ++d, a += p.a_step, b += p.b_step, ahead += lanes) {
      const Vector left = load(b), right = load(b + lanes);
      __builtin_prefetch(ahead);
#pragma GCC unroll 16
      for (int m = 0; m < rows; ++m) {
        const float factor = a[m * p.a_row];
        sums[m][0] += factor * left;
        sums[m][1] += factor * right;
      }
    }
  }
  store_sums(sums, p.y, p.y_row, p.accumulate);
}

template <int... rows>
constexpr auto panel_kernels(std::integer_sequence<int, rows...> /*sequence*/) {
  return std::array<void (*)(const MicroProduct&, const float*), sizeof...(rows)>{
      multiply_panel<rows + 1>...};
}

/// Calls pass(count) for passes of about the same number of rows, most_rows or fewer.
template <class Pass>
void for_row_passes(int64_t rows, const Pass& pass) {
  const int64_t passes = (rows + most_rows - 1) / most_rows;
  for (int64_t i = 0; i < passes; ++i) pass(rows * (i + 1) / passes - rows * i / passes);
}

/// The product for any number of rows of one panel of columns. What it has brought into the cache
/// is taken off `ahead`.
inline void multiply_rows(MicroProduct p, int64_t rows, Ahead& ahead) {
  constexpr auto kernels = panel_kernels(std::make_integer_sequence<int, most_rows>());
  for_row_passes(rows, [&](int64_t count) {
    const bool more = ahead.begin < ahead.end;
    kernels[static_cast<size_t>(count - 1)](p, more ? ahead.begin : p.b);
    if (more) ahead.begin += p.segments * p.depth * lanes;
    p.a += count * p.a_row;
    p.y += count * p.y_row;
  });
}

inline void multiply_rows(const MicroProduct& p, int64_t rows) {
  Ahead nothing;
  multiply_rows(p, rows, nothing);
}

}  // namespace
}  // namespace burin::cpu
