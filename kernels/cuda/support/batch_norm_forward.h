#pragma once

#include "burin/kernels/cuda/support/batch_norm_rows.h"

/// The kernels of batch_norm.cu's forward directions.

namespace burin::cuda {

/// Statistics, variant `naive`: one thread per channel, two passes.
template <class T>
__global__ void moments_naive(const T* x, Moments* moments, Channels channels) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels.C) return;
  const double n = static_cast<double>(channels.per_channel);
  CompensatedSum sum, squares;
  for (int64_t k = 0; k < channels.per_channel; ++k) sum.add(float(x[channels.element(c, k)]));
  const double mean = sum.total() / n;
  const float rounded = static_cast<float>(mean);
  for (int64_t k = 0; k < channels.per_channel; ++k) {
    const float centred = float(x[channels.element(c, k)]) - rounded;
    squares.add(centred * centred);
  }
  // About the rounded mean, so too large by n · (mean − rounded)².
  const double off = mean - static_cast<double>(rounded);
  moments[c] = {n, mean, squares.total() - n * off * off};
}

/// Variant `welford`: one block per channel reads it once.
template <class T>
__global__ void moments_welford(const T* x, Moments* moments, Channels channels) {
  __shared__ Moments of_warp[32];
  const int64_t c = blockIdx.x;
  const float shift = shift_for(float(x[channels.element(c, 0)]));
  CompensatedSum sum, squares;
  float count = 0;
  for (int64_t k = threadIdx.x; k < channels.per_channel; k += blockDim.x) {
    const float value = float(x[channels.element(c, k)]);
    sum.add(value);
    squares.add((value - shift) * (value - shift));
    count += 1;
  }

  const Moments mine = warp_moments(moments_about(shift, count, sum, squares));
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) of_warp[warp] = mine;
  __syncthreads();

  if (warp != 0) return;
  Moments all{};
  if (lane < static_cast<int>(blockDim.x) / 32) all = of_warp[lane];
  all = warp_moments(all);
  if (lane == 0) moments[c] = all;
}

/// What training keeps of the statistics.
struct Statistics {
  float* mean;
  float* inverse_std;
  float* running_mean;      // or null
  float* running_variance;  // or null
  float momentum;
  float epsilon;
};

__device__ inline void keep_statistics(const Statistics& to, int64_t c, const Moments& moments) {
  const float mean = static_cast<float>(moments.mean);
  to.mean[c] = mean;
  to.inverse_std[c] = static_cast<float>(1 / sqrt(moments.squares / moments.count + to.epsilon));
  const float keep = 1 - to.momentum;
  if (to.running_mean != nullptr) {
    to.running_mean[c] = keep * to.running_mean[c] + to.momentum * mean;
  }
  if (to.running_variance != nullptr) {  // unbiased, as torch keeps it
    const float unbiased = static_cast<float>(moments.squares / (moments.count - 1));
    to.running_variance[c] = keep * to.running_variance[c] + to.momentum * unbiased;
  }
}

inline __global__ void finish_statistics(const Moments* moments, Statistics to, int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) keep_statistics(to, c, moments[c]);
}

/// Variant `vector`: all threads take their squares about one value of the channel, so that its
/// sums just add up. sums: [parts, 2, C], Σ x and Σ (x − shift)².
template <class T>
__global__ void __launch_bounds__(row_threads, row_blocks_per_sm)
    shifted_sums_vector(const T* x, double* sums, Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 1>;
  const int c = rows.channel(), C = rows.C, step = rows.step();
  SumAndRest sum[per_byte], squares[per_byte];
  float shift[per_byte] = {};
  int repeated = 0;
  if (c < C) {
    const auto first = Eight<T>::at(x + c);
    for (int k = 0; k < per_byte; ++k) shift[k] = shift_for(first[k]);
    for (int row = rows.first(); row < rows.count; row += in_flight * step) {
      Eight<T> values[in_flight];
      // In place of a row behind the last: row 0, which holds the shift itself. Its square is 0.
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int at = row + i * step;
        values[i] = Eight<T>::at(x + rows.offset(at < rows.count ? at : 0));
        repeated += at < rows.count ? 0 : 1;
      }
      // Plain sums of at most four terms: they lose no more than one rounding of each term does.
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        float of_rows = values[0][k];
        float of_squares = (values[0][k] - shift[k]) * (values[0][k] - shift[k]);
#pragma unroll
        for (int i = 1; i < in_flight; ++i) {
          const float shifted = values[i][k] - shift[k];
          of_rows += values[i][k];
          of_squares += shifted * shifted;
        }
        sum[k].add(of_rows);
        squares[k].add(of_squares);
      }
    }
  }

  double of_rows[per_byte], of_squares[per_byte];
  for (int k = 0; k < per_byte; ++k) {
    of_rows[k] = sum[k].total() - static_cast<double>(repeated) * static_cast<double>(shift[k]);
    of_squares[k] = squares[k].total();
  }
  double* const of_part = sums + int64_t(blockIdx.y) * 2 * C;
  join_rows(of_rows, of_part, C);
  join_rows(of_squares, of_part + C, C);
}

/// Variant `vector`: one warp per channel.
template <class T>
__global__ void finish_statistics_vector(const T* x, const double* sums, int parts, Statistics to,
                                         Rows rows) {
  const int c = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32);
  if (c >= rows.C) return;  // a whole warp leaves together
  const auto [sum, squares] = sums_of_parts(sums + c, sums + rows.C + c, parts, 2 * rows.C);
  if (threadIdx.x % 32 != 0) return;
  const double n = static_cast<double>(rows.count), mean = sum / n;
  const double off = mean - static_cast<double>(shift_for(float(x[c])));
  const double around = squares - n * off * off;
  keep_statistics(to, c, {n, mean, around < 0 ? 0 : around});
}

inline __global__ void inverse_of_variance(const float* variance, float* inverse_std, float epsilon,
                                           int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) inverse_std[c] = 1 / sqrtf(variance[c] + epsilon);
}

/// y = relu?((x − mean) · inverse_std · weight + bias + residual)
template <class T>
struct Affine {
  const T* x;
  const T* residual;  // or null
  T* y;
  uint8_t* relu_mask;  // or null
  const float* mean;
  const float* inverse_std;
  const float* weight;
  const float* bias;
  bool relu;

  __device__ float normalized(float value, int64_t c) const {
    return (value - mean[c]) * (inverse_std[c] * weight[c]) + bias[c];
  }
  __device__ float activated(float value) const {
    return relu && value <= 0 ? 0.0f : value;  // NaN passes
  }
};

/// Either layout: a thread owns the eight neighbours of one byte of the mask.
template <class T>
__global__ void apply_plain(Affine<T> op, Channels channels) {
  const int64_t byte = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t first = byte * per_byte;
  if (first >= channels.count) return;
  unsigned bits = 0;
  for (int k = 0; k < per_byte && first + k < channels.count; ++k) {
    const int64_t i = first + k;
    float value = op.normalized(float(op.x[i]), channels.channel_of(i));
    if (op.residual != nullptr) value += float(op.residual[i]);
    const T stored = T(op.activated(value));
    op.y[i] = stored;
    bits |= (float(stored) <= 0 ? 0u : 1u) << k;  // judged as stored; NaN counts as above
  }
  if (op.relu_mask != nullptr) op.relu_mask[byte] = static_cast<uint8_t>(bits);
}

/// Variant `vector`. Rows in falling order: the last that the statistics read are still in the L2
/// cache.
template <class T>
__global__ void __launch_bounds__(row_threads, row_blocks_per_sm)
    apply_vector(Affine<T> op, Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 2>;
  const int c = rows.channel(), step = rows.step();
  if (c >= rows.C) return;
  using Floats = Eight<float>;
  const Floats mean = Floats::at(op.mean + c), bias = Floats::at(op.bias + c);
  const Floats weight = Floats::at(op.weight + c), inverse_std = Floats::at(op.inverse_std + c);
  float scale[per_byte];
  for (int k = 0; k < per_byte; ++k) scale[k] = inverse_std[k] * weight[k];

  for (int row = rows.count - 1 - rows.first(); row >= 0; row -= in_flight * step) {
    Eight<T> values[in_flight] = {}, added[in_flight] = {};
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      const int at = row - i * step;
      if (at < 0) continue;
      values[i] = Eight<T>::at(op.x + rows.offset(at));
      if (op.residual != nullptr) added[i] = Eight<T>::at(op.residual + rows.offset(at));
    }
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      if (row - i * step < 0) continue;
      const int64_t first = rows.offset(row - i * step);
      float value[per_byte];
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        value[k] = (values[i][k] - mean[k]) * scale[k] + bias[k];
        if (op.residual != nullptr) value[k] += added[i][k];
        value[k] = op.activated(value[k]);
      }
      const auto y = Eight<T>::of(value);
      y.store(op.y + first);
      if (op.relu_mask == nullptr) continue;
      unsigned bits = 0;
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        bits |= y[k] <= 0 ? 0u : 1u << k;  // judged as stored; NaN counts as above
      }
      op.relu_mask[first / per_byte] = static_cast<uint8_t>(bits);
    }
  }
}

}  // namespace burin::cuda
