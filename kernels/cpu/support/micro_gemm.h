#pragma once

#include <array>
#include <utility>

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// A product of small matrices whose accumulators stay in registers.
///
///   y[m, n] (+)= Σ_d a[m · a_row + d · a_step] · b[d · b_step + n],   n < panel_width
///
/// 6 × 2 vectors of accumulators use 12 of 16 registers; AVX-512 has 32.
inline constexpr int panel_width = 2 * lanes;
inline constexpr int most_rows = lanes == 16 ? 12 : 6;

struct MicroProduct {
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_step;
  int64_t depth;
  float* y;
  int64_t y_row;
  bool accumulate;
};

template <int rows>
void multiply_panel(const MicroProduct& p) {
  Vector sums[rows][2] = {};
  const float* a = p.a;
  const float* b = p.b;
  for (int64_t d = 0; d < p.depth; ++d, a += p.a_step, b += p.b_step) {
    const Vector left = load(b), right = load(b + lanes);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      const float factor = a[m * p.a_row];
      sums[m][0] += factor * left;
      sums[m][1] += factor * right;
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m) {
    float* const y = p.y + m * p.y_row;
    if (p.accumulate) {
      sums[m][0] += load(y);
      sums[m][1] += load(y + lanes);
    }
    store(y, sums[m][0]);
    store(y + lanes, sums[m][1]);
  }
}

template <int... rows>
constexpr auto panel_kernels(std::integer_sequence<int, rows...> /*sequence*/) {
  return std::array<void (*)(const MicroProduct&), sizeof...(rows)>{multiply_panel<rows + 1>...};
}

/// The product for any number of rows of one panel of columns.
inline void multiply_rows(MicroProduct p, int64_t rows) {
  constexpr auto kernels = panel_kernels(std::make_integer_sequence<int, most_rows>());
  for (int64_t m = 0; m < rows; m += most_rows) {
    const int64_t count = rows - m < most_rows ? rows - m : most_rows;
    kernels[static_cast<size_t>(count - 1)](p);
    p.a += most_rows * p.a_row;
    p.y += most_rows * p.y_row;
  }
}

}  // namespace
}  // namespace burin::cpu
