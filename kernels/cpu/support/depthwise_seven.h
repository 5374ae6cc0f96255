#pragma once

#include <algorithm>

#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

// Depthwise filters seven pixels wide with steps of one pixel, ConvNeXt's: seven neighbouring
// outputs of one vector of channels are summed at once, so that a pixel is loaded once for all the
// outputs that read it. Each product then costs one load, of a filter (forward) or a pixel (of the
// weight's gradient), which two ports keep up with.
inline constexpr int seven = 7;

/// One row of the filter: the source row it reads lies `dh` below the output's; its taps, from left
/// to right, are `step` floats apart.
struct FilterRow {
  int64_t dh;
  const float* first;
  int64_t step;
};

/// The rows of the filter, where the lattice has seven whole columns of them; else none. `packed`
/// has a row of channels, `row` floats long, for each filter position r · S + s.
inline std::vector<FilterRow> rows_of_seven(const Lattice& lattice, const float* packed,
                                            int64_t row, int64_t S) {
  std::vector<FilterRow> rows;
  const bool unit = lattice.source_step_h == 1 && lattice.source_step_w == 1;
  if (!unit || lattice.taps.size() % seven != 0) return {};
  for (size_t first = 0; first < lattice.taps.size(); first += seven) {
    const Tap& left = lattice.taps[first];
    const Tap& right = lattice.taps[first + seven - 1];
    const int64_t direction = right.dw > left.dw ? 1 : -1;
    for (size_t i = 0; i < seven; ++i) {
      const Tap& tap = lattice.taps[first + i];
      if (tap.dh != left.dh || tap.dw != left.dw + direction * static_cast<int64_t>(i)) return {};
    }
    const Tap& lowest = direction > 0 ? left : right;
    const Tap& next = lattice.taps[direction > 0 ? first + 1 : first + seven - 2];
    rows.push_back({left.dh, packed + (lowest.r * S + lowest.s) * row, (next.s - lowest.s) * row});
  }
  return rows;
}

inline int64_t leftmost(const Lattice& lattice) {
  int64_t dw = lattice.taps.front().dw;
  for (const Tap& tap : lattice.taps) dw = std::min(dw, tap.dw);
  return dw;
}

/// A row of W pixels of C channels, from the channels on that a vector holds.
template <class T>
struct PixelRow {
  const T* pixels;
  int64_t W, C;
};

/// sums[j] += one row of the filter at the seven outputs whose leftmost tap reads columns
/// first … first + 6 of x.
template <class T>
inline void add_filter_row(Vector* sums, const PixelRow<T>& x, int64_t first, const float* filter,
                           int64_t step) {
#pragma GCC unroll 13
  for (int t = 0; t < 2 * seven - 1; ++t) {
    const int64_t column = first + t;
    if (column < 0 || column >= x.W) continue;
    const Vector pixel = load_widened(x.pixels + column * x.C);
#pragma GCC unroll 7
    for (int j = 0; j < seven; ++j) {
      const int s = t - j;
      if (s >= 0 && s < seven) sums[j] += pixel * load(filter + s * step);
    }
  }
}

/// sums[s] += Σ_q dy[q] · x[q + s + first] along one row.
template <class T>
inline void add_weight_row(Vector* sums, const PixelRow<T>& dy, const PixelRow<T>& x,
                           int64_t first) {
  const int64_t Q = dy.W, W = x.W, C = x.C;
  Vector row[seven] = {};
  const int64_t inner_begin = std::clamp<int64_t>(-first, 0, Q);
  const int64_t inner_end = std::clamp<int64_t>(W - (seven - 1) - first, inner_begin, Q);
  const auto at_edge = [&](int64_t q) {
    const Vector g = load_widened(dy.pixels + q * C);
    for (int s = 0; s < seven; ++s) {
      const int64_t column = q + s + first;
      if (column >= 0 && column < W) row[s] += g * load_widened(x.pixels + column * C);
    }
  };
  for (int64_t q = 0; q < inner_begin; ++q) at_edge(q);
  for (int64_t q = inner_begin; q < inner_end; ++q) {
    const Vector g = load_widened(dy.pixels + q * C);
    const T* const pixel = x.pixels + (q + first) * C;
#pragma GCC unroll 7
    for (int s = 0; s < seven; ++s) row[s] += g * load_widened(pixel + s * C);
  }
  for (int64_t q = inner_end; q < Q; ++q) at_edge(q);
  for (int s = 0; s < seven; ++s) sums[s] += row[s];
}

}  // namespace
}  // namespace burin::cpu
