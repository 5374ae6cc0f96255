#pragma once

#include <algorithm>
#include <vector>

#include "burin/kernels/cpu/support/channels.h"
#include "burin/kernels/op.h"

namespace burin::cpu {

/// Mean and sum of squared deviations of values that arrive block by block.
///
/// A block is summed in float about a shift near the mean so far, and merged in double: one read of
/// memory, and no digits lost when |mean| ≫ std, as E[x²] − E[x]² would.
/// Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1.
struct Moments {
  double mean = 0;
  double squares = 0;

  /// Adds `count` values with Σ (x − shift) and Σ (x − shift)² to the `seen` ones.
  void add_block(double seen, double count, float shift, float sum, float sum_of_squares) {
    const double offset = static_cast<double>(sum) / count;
    merge(seen, count, {shift + offset, static_cast<double>(sum_of_squares) - sum * offset});
  }

  /// Adds `count` values whose moments are `other` to the `seen` ones.
  void merge(double seen, double count, const Moments& other) {
    const double share = count / (seen + count);
    const double delta = other.mean - mean;
    mean += delta * share;
    squares += other.squares + delta * delta * seen * share;
  }
};

inline constexpr int64_t block_rows = 128;    // summed in float before a merge in double
inline constexpr int64_t block_values = 256;  // the same along a plane

/// A shift is a value of x's type: x − shift is then exact where x is near, and does not round all
/// the equal values of a coarse type the same way.
template <class T>
float shift_near(double mean) {
  return static_cast<float>(T(static_cast<float>(mean)));
}

/// What one thread needs for the statistics of rows.
struct RowScratch {
  RowScratch(Workspace& workspace, int64_t C)
      : moments(workspace.take<Moments>(C)),
        shift(workspace.take<float>(C)),
        sum(workspace.take<float>(C)),
        squares(workspace.take<float>(C)) {}
  static size_t bytes(int64_t C) {
    return Workspace::room_for<Moments>(C) + 3 * Workspace::room_for<float>(C);
  }
  Moments* moments;
  float* shift;
  float* sum;
  float* squares;
};

/// sum[c] = Σ (x − shift[c]), squares[c] = Σ (x − shift[c])² over `rows` rows.
template <class T>
void sum_rows(const T* x, int64_t rows, int64_t C, const RowScratch& s) {
  std::fill_n(s.sum, C, 0.0f);
  std::fill_n(s.squares, C, 0.0f);
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {  // four rows at once: the sums are loaded and stored less often
    const T* const row = x + r * C;
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      const float d0 = static_cast<float>(row[c]) - s.shift[c];
      const float d1 = static_cast<float>(row[C + c]) - s.shift[c];
      const float d2 = static_cast<float>(row[2 * C + c]) - s.shift[c];
      const float d3 = static_cast<float>(row[3 * C + c]) - s.shift[c];
      s.sum[c] += (d0 + d1) + (d2 + d3);
      s.squares[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
  }
  for (; r < rows; ++r) {
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      const float d = static_cast<float>(x[r * C + c]) - s.shift[c];
      s.sum[c] += d;
      s.squares[c] += d * d;
    }
  }
}

template <class T>
void row_moments(const T* x, int64_t rows, int64_t C, const RowScratch& s) {
  std::fill_n(s.moments, C, Moments{});
  if (rows == 0) return;
  // A first look at one block gives the shift; its own mean, so that nothing is assumed of x.
  const int64_t first = std::min(rows, block_rows);
  std::fill_n(s.shift, C, 0.0f);
  sum_rows(x, first, C, s);
  for (int64_t c = 0; c < C; ++c) s.shift[c] = shift_near<T>(s.sum[c] / static_cast<double>(first));
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t count = std::min(block_rows, rows - begin);
    sum_rows(x + begin * C, count, C, s);
    for (int64_t c = 0; c < C; ++c) {
      s.moments[c].add_block(static_cast<double>(begin), static_cast<double>(count), s.shift[c],
                             s.sum[c], s.squares[c]);
      s.shift[c] = shift_near<T>(s.moments[c].mean);
    }
  }
}

/// Sums side by side: where the compiler does not vectorise, too, no chain of additions is longer
/// than a block's sixteenth.
inline constexpr int64_t chains = 16;

/// add(k, i) for every i < count, k being the chain that element i belongs to.
template <class Add>
void in_chains(int64_t count, const Add& add) {
  int64_t i = 0;
  for (; i + chains <= count; i += chains) {
#pragma omp simd
    for (int64_t k = 0; k < chains; ++k) add(k, i + k);
  }
  for (int64_t k = 0; i + k < count; ++k) add(k, i + k);
}

inline float sum_of_chains(const float* sums) {
  float folded[chains];
  std::copy_n(sums, chains, folded);
  for (int64_t half = chains / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) folded[k] += folded[k + half];
  }
  return folded[0];
}

template <class T>
void sum_plane(const T* x, int64_t count, float shift, float& sum, float& squares) {
  float s1[chains] = {}, s2[chains] = {};
  in_chains(count, [&](int64_t k, int64_t i) {
    const float d = static_cast<float>(x[i]) - shift;
    s1[k] += d;
    s2[k] += d * d;
  });
  sum = sum_of_chains(s1);
  squares = sum_of_chains(s2);
}

/// Adds `count` neighbouring values to the moments of the `seen` ones.
template <class T>
void add_stretch(Moments& moments, double& seen, const T* x, int64_t count) {
  for (int64_t begin = 0; begin < count; begin += block_values) {
    const int64_t length = std::min(block_values, count - begin);
    float shift = shift_near<T>(moments.mean), sum = 0, squares = 0;
    if (seen == 0) {
      sum_plane(x, length, 0, sum, squares);
      shift = shift_near<T>(sum / static_cast<double>(length));
    }
    sum_plane(x + begin, length, shift, sum, squares);
    moments.add_block(seen, static_cast<double>(length), shift, sum, squares);
    seen += static_cast<double>(length);
  }
}

template <class T>
Moments plane_moments(const T* x, const Geometry& g, int64_t c) {
  Moments moments;
  double seen = 0;
  for (int64_t n = 0; n < g.outer; ++n) {
    add_stretch(moments, seen, x + (n * g.channels + c) * g.inner, g.inner);
  }
  return moments;
}

inline int64_t row_parts(const Geometry& g) {
  return parts_for(g.outer, std::max(ceil_div(32768, g.channels), int64_t{8}));
}

/// Workspace that channel_moments() takes.
inline size_t channel_moments_bytes(const Geometry& g) {
  const int64_t parts = g.inner == 1 ? row_parts(g) : 0;
  return Workspace::room_for<Moments>(g.channels) + parts * RowScratch::bytes(g.channels);
}

/// The moments of each channel of x, in the workspace.
template <class T>
const Moments* channel_moments(const T* x, const Geometry& g, Workspace& workspace) {
  const int64_t C = g.channels;
  Moments* const total = workspace.take<Moments>(C);
  if (g.inner > 1) {
    parallel_for(C, ceil_div(32768, g.per_channel()), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) total[c] = plane_moments(x, g, c);
    });
    return total;
  }
  const int64_t parts = row_parts(g);
  std::vector<RowScratch> scratch;
  for (int64_t part = 0; part < parts; ++part) scratch.emplace_back(workspace, C);
  for_each_part(g.outer, parts, [&](int64_t part, int64_t begin, int64_t end) {
    row_moments(x + begin * C, end - begin, C, scratch[part]);
  });
  std::fill_n(total, C, Moments{});
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = g.outer * part / parts, end = g.outer * (part + 1) / parts;
    const auto seen = static_cast<double>(begin), count = static_cast<double>(end - begin);
    for (int64_t c = 0; c < C; ++c) total[c].merge(seen, count, scratch[part].moments[c]);
  }
  return total;
}

}  // namespace burin::cpu
