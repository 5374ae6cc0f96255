#pragma once

#include "burin/kernels/batch_norm_max_pool.h"
#include "burin/kernels/cuda/support/batch_norm_backward.h"
#include "burin/kernels/cuda/support/batch_norm_forward.h"
#include "burin/kernels/cuda/support/pool2d_vector.h"

/// The kernels of batch_norm_max_pool.cu's `vector` rung. Sums go over rows as in batch_norm.cu,
/// pooling and its gradient over pixels as in pool2d.cu; a block of pixels is too small to join the
/// sums for itself, so one launch between them does.

namespace burin::cuda {

/// Eight neighbouring choices.
struct alignas(8) EightChoices {
  uint8_t at[8];

  __device__ static EightChoices of(const uint8_t* from) {
    return *reinterpret_cast<const EightChoices*>(from);
  }
};

/// One block for some channels, of the grid that made the sums.
inline __global__ void __launch_bounds__(row_threads, 1)
    join_statistics(BatchStatistics statistics, Rows rows) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  __shared__ SumsOfGroups of_group;
  const Normal normal = statistics.of_block(rows, of_group);
  const int c = rows.spoken_for();
  if (c < rows.C) statistics.keep(c, normal);
}

/// What pooling normalises with, and what it makes.
template <class T>
struct PooledNormal {
  const T* x;
  const float* mean;
  const float* inverse_std;
  const float* weight;
  const float* bias;
  T* y;
  T* chosen;
  uint8_t* index;
};

/// Normalising keeps the order of x, or turns it around where its factor is below 0: so the largest
/// is found in x, and only it is normalised. NaN in a channel makes its statistics NaN, and then
/// whatever is chosen gives NaN.
__device__ inline float direction_of(float scale) {
  return scale < 0 ? -1.0f : 1.0f;
}

/// A window, element by element, row by row; it stays at the last.
struct WindowWalk {
  Range<int> rows, columns;
  int h, w;

  __device__ static WindowWalk of(const Range<int>& rows, const Range<int>& columns) {
    return {rows, columns, rows.begin, columns.begin};
  }
  __device__ int count() const { return (rows.end - rows.begin) * (columns.end - columns.begin); }
  __device__ void next() {
    if (w + 1 < columns.end) {
      ++w;
    } else if (h + 1 < rows.end) {
      w = columns.begin;
      ++h;
    }
  }
};

template <class T>
__global__ void __launch_bounds__(pool_threads, sizeof(T) == 2 ? 3 : 2)
    normal_max_vector(PooledNormal<T> op, Pixels in, Pixels out, MaxAxes axes, int across) {
  constexpr int in_flight = sizeof(T) == 2 ? 5 : 3;  // nine elements in two turns, or in three
  const EightOfPixel at = eight_of_thread(across);
  cudaGridDependencySynchronize();  // that of the statistics
  if (!is_inside(at, out)) return;
  const T* const x = op.x + in.image(at.n) + at.c;
  const auto weight = Eight<float>::at(op.weight + at.c);
  const auto inverse_std = Eight<float>::at(op.inverse_std + at.c);
  float scale[8], largest[8];
  int number[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    scale[k] = inverse_std[k] * weight[k];
    largest[k] = -INFINITY;
    number[k] = 0;
  }
  const int top = axes.h.start(at.h), left = axes.w.start(at.w);

  auto walk = WindowWalk::of(axes.h.window(at.h), axes.w.window(at.w));
  for (int left_over = walk.count(); left_over > 0; left_over -= in_flight) {
    Eight<T> values[in_flight];
    int numbers[in_flight];
    // In place of an element behind the last: the last again, which changes nothing.
#pragma unroll
    for (int i = 0; i < in_flight; ++i, walk.next()) {
      values[i] = Eight<T>::at(x + in.offset(walk.h, walk.w));
      numbers[i] = (walk.h - top) * axes.w.kernel + walk.w - left;
    }
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        const float value = values[i][k] * direction_of(scale[k]);
        if (value > largest[k]) {
          largest[k] = value;
          number[k] = numbers[i];
        }
      }
    }
  }

  const auto mean = Eight<float>::at(op.mean + at.c), bias = Eight<float>::at(op.bias + at.c);
  float normal[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    largest[k] *= direction_of(scale[k]);
    normal[k] = (largest[k] - mean[k]) * scale[k] + bias[k];
    normal[k] = normal[k] <= 0 ? 0.0f : normal[k];  // NaN passes
  }
  const auto y = Eight<T>::of(normal);
  EightChoices choices;
#pragma unroll
  for (int k = 0; k < 8; ++k) {  // judged as stored
    choices.at[k] = y[k] <= 0 ? stopped_by_relu : static_cast<uint8_t>(number[k]);
  }
  const int64_t to = out.image(at.n) + out.offset(at.h, at.w) + at.c;
  y.store(op.y + to);
  Eight<T>::of(largest).store(op.chosen + to);
  *reinterpret_cast<EightChoices*>(op.index + to) = choices;
}

/// What the sums of backward read, as Gradient is where nothing is pooled.
template <class T>
struct PooledGradient {
  const T* dy;
  const T* x;  // the chosen elements
  const uint8_t* index;
  const float* mean;

  __device__ float passed(int64_t i) const {
    return index[i] == stopped_by_relu ? 0.0f : float(dy[i]);
  }
  __device__ unsigned passing(int64_t first) const {
    const EightChoices choices = EightChoices::of(index + first);
    unsigned bits = 0;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      if (choices.at[k] != stopped_by_relu) bits |= 1u << k;
    }
    return bits;
  }
};

/// The factors of dx, one after another by channel: [3, C].
struct FactorRows {
  float* scale;
  int C;

  __device__ float* from_bias() const { return scale + C; }
  __device__ float* from_weight() const { return scale + 2 * C; }
};

/// One block for some channels, of the grid that made the sums.
inline __global__ void __launch_bounds__(row_threads, 1)
    join_gradients(const double* sums, int parts, ParameterGradients to, FactorRows factors,
                   Rows rows) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  __shared__ SumsOfGroups of_group;
  const TwoSums sum = join_parts(sums, parts, of_group, rows);
  const int c = rows.spoken_for();
  if (c >= rows.C) return;
  const ChannelGradient gradient = gradient_of(sum, to.weight[c], to.inverse_std[c], to);
  keep_gradient(to, c, gradient);
  factors.scale[c] = gradient.factors.scale;
  factors.from_bias()[c] = gradient.factors.from_bias;
  factors.from_weight()[c] = gradient.factors.from_weight;
}

template <class T>
struct PooledInputGradient {
  const T* dy;
  const uint8_t* index;
  const T* x;
  const float* mean;
  FactorRows factors;
  T* dx;
};

/// A thread owns eight channels of a patch, as in max_backward_vector.
template <class T>
__global__ void __launch_bounds__(pool_threads, 2)
    normal_max_backward_vector(PooledInputGradient<T> op, Pixels in, Pixels out, MaxAxes axes,
                               int across) {
  constexpr int in_flight = 2;  // windows, beside the x of all four pixels
  constexpr int pixels = patch * patch;
  const EightOfPixel at = eight_of_thread(across);
  const int h = at.h * patch, w = at.w * patch;
  cudaGridDependencySynchronize();  // that of the factors
  if (at.c >= in.C || h >= in.H || w >= in.W) return;
  const int last_h = min(h + 1, in.H - 1), last_w = min(w + 1, in.W - 1);
  const int64_t image = in.image(at.n) + at.c;
  Eight<T> x[pixels];
#pragma unroll
  for (int i = 0; i < pixels; ++i) {
    x[i] = Eight<T>::at(op.x + image +
                        in.offset(min(h + i / patch, last_h), min(w + i % patch, last_w)));
  }

  const int64_t first_of_image = out.image(at.n) + at.c;
  const int end_p = axes.h.outputs_over(last_h).end, end_q = axes.w.outputs_over(last_w).end;
  const int begin_q = axes.w.outputs_over(w).begin;
  float sum[pixels][8] = {};
  for (int p = axes.h.outputs_over(h).begin; p < end_p; ++p) {
    for (int first = begin_q; first < end_q; first += in_flight) {
      Eight<T> g[in_flight];
      EightChoices chosen[in_flight];
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int q = min(first + i, end_q - 1);
        const int64_t from = first_of_image + out.offset(p, q);
        chosen[i] = EightChoices::of(op.index + from);
        g[i] = Eight<T>::at(op.dy + from);
        if (q != first + i) g[i] = Eight<T>{};  // the last window again: it adds nothing
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int top = axes.h.start(p), left = axes.w.start(min(first + i, end_q - 1));
#pragma unroll
        for (int pixel = 0; pixel < pixels; ++pixel) {
          const int row = h + pixel / patch - top, column = w + pixel % patch - left;
          const bool is_in_window =
              static_cast<unsigned>(row) < static_cast<unsigned>(axes.h.kernel) &&
              static_cast<unsigned>(column) < static_cast<unsigned>(axes.w.kernel);
          const int number = is_in_window ? row * axes.w.kernel + column : -1;
#pragma unroll
          for (int k = 0; k < 8; ++k) {
            if (chosen[i].at[k] == number) sum[pixel][k] += g[i][k];
          }
        }
      }
    }
  }

  using Floats = Eight<float>;
  const Floats mean = Floats::at(op.mean + at.c), scale = Floats::at(op.factors.scale + at.c);
  const Floats from_bias = Floats::at(op.factors.from_bias() + at.c);
  const Floats from_weight = Floats::at(op.factors.from_weight() + at.c);
#pragma unroll
  for (int i = 0; i < pixels; ++i) {
    if (h + i / patch > last_h || w + i % patch > last_w) continue;
    float dx[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      dx[k] = scale[k] * sum[i][k] - from_bias[k] - (x[i][k] - mean[k]) * from_weight[k];
    }
    Eight<T>::of(dx).store(op.dx + image + in.offset(h + i / patch, w + i % patch));
  }
}

}  // namespace burin::cuda
