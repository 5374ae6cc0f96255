#pragma once

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

// Winograd's minimal filtering F(4×4, 3×3): Lavin & Gray 2015, arXiv:1509.09308, section 4.3. A 4×4
// tile of the output costs 36 products instead of 144:
//
//   y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A,   summed over the channels in the brackets
//   dw = Gᵀ [ (A dy Aᵀ) ⊙ (Bᵀ x B) ] G, its adjoint in w, summed over all tiles
//
// The matrices follow from the points where the polynomials are evaluated: 0, ±a, ±b, ∞. The
// paper's 1 and 2 lose twice the digits of oneDNN's 5/8 and 3/2, whose powers stay nearer to 1.
// Each function is one of these matrices applied to a column of vectors.

// Rows and columns of y in a tile; of x that it reads, and of the transformed tile.
inline constexpr int tile_outputs = 4;
inline constexpr int tile_inputs = 6;
inline constexpr int frequencies = tile_inputs * tile_inputs;

inline constexpr float point_a = 5.0f / 8, point_b = 3.0f / 2;
inline constexpr float a2 = point_a * point_a, b2 = point_b * point_b;
// 1 / M′ at each point, M(x) = x (x² − a²) (x² − b²)
inline constexpr float weight_0 = 1 / (a2 * b2);
inline constexpr float weight_a = 1 / (2 * a2 * (a2 - b2));
inline constexpr float weight_b = 1 / (2 * b2 * (b2 - a2));

/// Bᵀ
inline void transform_input(const Vector (&x)[6], Vector (&v)[6]) {
  const Vector even_a = x[4] - b2 * x[2], odd_a = point_a * (x[3] - b2 * x[1]);
  const Vector even_b = x[4] - a2 * x[2], odd_b = point_b * (x[3] - a2 * x[1]);
  v[0] = a2 * b2 * x[0] - (a2 + b2) * x[2] + x[4];
  v[1] = even_a + odd_a;
  v[2] = even_a - odd_a;
  v[3] = even_b + odd_b;
  v[4] = even_b - odd_b;
  v[5] = a2 * b2 * x[1] - (a2 + b2) * x[3] + x[5];
}

/// Aᵀ
inline void transform_output(const Vector (&m)[6], Vector (&y)[4]) {
  const Vector sum_a = m[1] + m[2], difference_a = point_a * (m[1] - m[2]);
  const Vector sum_b = m[3] + m[4], difference_b = point_b * (m[3] - m[4]);
  y[0] = m[0] + sum_a + sum_b;
  y[1] = difference_a + difference_b;
  y[2] = a2 * sum_a + b2 * sum_b;
  y[3] = a2 * difference_a + b2 * difference_b + m[5];
}

/// G
inline void transform_filter(const Vector (&w)[3], Vector (&u)[6]) {
  const Vector even_a = weight_a * (w[0] + a2 * w[2]), odd_a = weight_a * point_a * w[1];
  const Vector even_b = weight_b * (w[0] + b2 * w[2]), odd_b = weight_b * point_b * w[1];
  u[0] = weight_0 * w[0];
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = w[2];
}

/// A
inline void transform_gradient(const Vector (&dy)[4], Vector (&d)[6]) {
  const Vector even_a = dy[0] + a2 * dy[2], odd_a = point_a * (dy[1] + a2 * dy[3]);
  const Vector even_b = dy[0] + b2 * dy[2], odd_b = point_b * (dy[1] + b2 * dy[3]);
  d[0] = dy[0];
  d[1] = even_a + odd_a;
  d[2] = even_a - odd_a;
  d[3] = even_b + odd_b;
  d[4] = even_b - odd_b;
  d[5] = dy[3];
}

/// Gᵀ
inline void transform_filter_gradient(const Vector (&m)[6], Vector (&dw)[3]) {
  const Vector sum_a = weight_a * (m[1] + m[2]), difference_a = weight_a * point_a * (m[1] - m[2]);
  const Vector sum_b = weight_b * (m[3] + m[4]), difference_b = weight_b * point_b * (m[3] - m[4]);
  dw[0] = weight_0 * m[0] + sum_a + sum_b;
  dw[1] = difference_a + difference_b;
  dw[2] = a2 * sum_a + b2 * sum_b + m[5];
}

/// The matrix on both sides of a tile: out = f in fᵀ.
template <int in_size, int out_size, class Transform>
inline void transform_tile(const Vector (&in)[in_size][in_size], Vector (&out)[out_size][out_size],
                           const Transform& transform) {
  Vector half[in_size][out_size];  // half[j] is column j of f · in
#pragma GCC unroll 6
  for (int j = 0; j < in_size; ++j) {
    Vector column[in_size];
#pragma GCC unroll 6
    for (int i = 0; i < in_size; ++i) column[i] = in[i][j];
    transform(column, half[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < out_size; ++i) {
    Vector row[in_size];
#pragma GCC unroll 6
    for (int j = 0; j < in_size; ++j) row[j] = half[j][i];
    transform(row, out[i]);
  }
}

}  // namespace
}  // namespace burin::cpu
