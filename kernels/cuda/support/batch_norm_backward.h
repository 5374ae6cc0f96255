#pragma once

#include "burin/kernels/cuda/support/batch_norm_rows.h"

/// The kernels of batch_norm.cu's backward direction.

namespace burin::cuda {

/// All variants add up Σ g and Σ g · (x − mean) per channel, with g = dy where the ReLU passed.
/// sums: [parts, 2, C]; all but `vector` make one part.

template <class T>
struct Gradient {
  const T* dy;
  const T* x;
  const uint8_t* relu_mask;  // or null
  const float* mean;

  __device__ float passed(int64_t i) const { return passes(relu_mask, i) ? float(dy[i]) : 0.0f; }
  /// The mask's byte of the eight elements from `first` on.
  __device__ unsigned passing(int64_t first) const {
    return relu_mask == nullptr ? 0xffu : relu_mask[first / per_byte];
  }
};

/// Variant `naive`: one thread per channel.
template <class T>
__global__ void gradient_sums_naive(Gradient<T> in, double* sums, Channels channels) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels.C) return;
  CompensatedSum g_sum, centred_sum;
  for (int64_t k = 0; k < channels.per_channel; ++k) {
    const int64_t i = channels.element(c, k);
    const float g = in.passed(i);
    g_sum.add(g);
    centred_sum.add(g * (float(in.x[i]) - in.mean[c]));
  }
  sums[c] = g_sum.total();
  sums[channels.C + c] = centred_sum.total();
}

/// Variant `welford` (of the forward pass): one block per channel.
template <class T>
__global__ void gradient_sums_block(Gradient<T> in, double* sums, Channels channels) {
  const int64_t c = blockIdx.x;
  const float mean = in.mean[c];
  CompensatedSum g_sum, centred_sum;
  for (int64_t k = threadIdx.x; k < channels.per_channel; k += blockDim.x) {
    const int64_t i = channels.element(c, k);
    const float g = in.passed(i);
    g_sum.add(g);
    centred_sum.add(g * (float(in.x[i]) - mean));
  }
  const double g = block_sum(g_sum.total()), centred = block_sum(centred_sum.total());
  if (threadIdx.x != 0) return;
  sums[c] = g;
  sums[channels.C + c] = centred;
}

/// Variant `vector`.
template <class T>
__global__ void __launch_bounds__(row_threads, row_blocks_per_sm)
    gradient_sums_vector(Gradient<T> in, double* sums, Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 2>;
  const int c = rows.channel(), C = rows.C, step = rows.step();
  SumAndRest g_sum[per_byte], centred_sum[per_byte];
  if (c < C) {
    const auto mean = Eight<float>::at(in.mean + c);
    for (int row = rows.first(); row < rows.count; row += in_flight * step) {
      Eight<T> dy[in_flight], x[in_flight];
      unsigned bits[in_flight];
      // In place of a row behind the last: row 0, of which nothing passes.
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int at = row + i * step;
        const int64_t first = rows.offset(at < rows.count ? at : 0);
        dy[i] = Eight<T>::at(in.dy + first);
        x[i] = Eight<T>::at(in.x + first);
        bits[i] = at < rows.count ? in.passing(first) : 0;
      }
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        float of_g = 0, of_centred = 0;
#pragma unroll
        for (int i = 0; i < in_flight; ++i) {
          const float g = (bits[i] >> k & 1) != 0 ? dy[i][k] : 0.0f;
          of_g += g;
          of_centred += g * (x[i][k] - mean[k]);
        }
        g_sum[k].add(of_g);
        centred_sum[k].add(of_centred);
      }
    }
  }

  double of_g[per_byte], of_centred[per_byte];
  for (int k = 0; k < per_byte; ++k) {
    of_g[k] = g_sum[k].total();
    of_centred[k] = centred_sum[k].total();
  }
  double* const of_part = sums + int64_t(blockIdx.y) * 2 * C;
  join_rows(of_g, of_part, C);
  join_rows(of_centred, of_part + C, C);
}

/// dx = scale · g − from_bias − (x − mean) · from_weight: its factors by channel.
struct Factors {
  float* scale;        // weight · inverse_std
  float* from_bias;    // scale · dbias / n, or 0 where the statistics were given
  float* from_weight;  // scale · inverse_std · dweight / n, likewise
};

/// What the sums become.
struct ParameterGradients {
  const float* weight;
  const float* inverse_std;
  float* dweight;
  float* dbias;
  double n;
  bool batch_statistics;
};

/// One warp per channel.
inline __global__ void finish_gradients(const double* sums, int parts, ParameterGradients to,
                                        Factors factors, int C) {
  const int c = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32);
  if (c >= C) return;  // a whole warp leaves together
  const auto [g, centred] = sums_of_parts(sums + c, sums + C + c, parts, 2 * C);
  if (threadIdx.x % 32 != 0) return;
  const double inverse_std = static_cast<double>(to.inverse_std[c]);
  const double scale = static_cast<double>(to.weight[c]) * inverse_std;
  const double dweight = centred * inverse_std;
  const double per_element = to.batch_statistics ? scale / to.n : 0;
  to.dweight[c] = static_cast<float>(dweight);
  to.dbias[c] = static_cast<float>(g);
  factors.scale[c] = static_cast<float>(scale);
  factors.from_bias[c] = static_cast<float>(per_element * g);
  factors.from_weight[c] = static_cast<float>(per_element * inverse_std * dweight);
}

template <class T>
struct InputGradient {
  Gradient<T> in;
  Factors factors;
  T* dx;
  T* dresidual;  // or null

  __device__ float value(float g, float x, int64_t c) const {
    return factors.scale[c] * g - factors.from_bias[c] - (x - in.mean[c]) * factors.from_weight[c];
  }
};

template <class T>
__global__ void gradient_apply_plain(InputGradient<T> op, Channels channels) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= channels.count) return;
  const float g = op.in.passed(i);
  op.dx[i] = T(op.value(g, float(op.in.x[i]), channels.channel_of(i)));
  if (op.dresidual != nullptr) op.dresidual[i] = T(g);
}

/// Variant `vector`, in falling order as apply_vector.
template <class T>
__global__ void __launch_bounds__(row_threads, row_blocks_per_sm)
    gradient_apply_vector(InputGradient<T> op, Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 2>;
  const int c = rows.channel(), step = rows.step();
  if (c >= rows.C) return;
  using Floats = Eight<float>;
  const Floats mean = Floats::at(op.in.mean + c), scale = Floats::at(op.factors.scale + c);
  const Floats from_bias = Floats::at(op.factors.from_bias + c);
  const Floats from_weight = Floats::at(op.factors.from_weight + c);

  for (int row = rows.count - 1 - rows.first(); row >= 0; row -= in_flight * step) {
    Eight<T> dy[in_flight] = {}, x[in_flight] = {};
    unsigned bits[in_flight] = {};
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      if (row - i * step < 0) continue;
      const int64_t first = rows.offset(row - i * step);
      dy[i] = Eight<T>::at(op.in.dy + first);
      x[i] = Eight<T>::at(op.in.x + first);
      bits[i] = op.in.passing(first);
    }
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      if (row - i * step < 0) continue;
      const int64_t first = rows.offset(row - i * step);
      float dx[per_byte], g[per_byte];
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        g[k] = (bits[i] >> k & 1) != 0 ? dy[i][k] : 0.0f;
        dx[k] = scale[k] * g[k] - from_bias[k] - (x[i][k] - mean[k]) * from_weight[k];
      }
      Eight<T>::of(dx).store(op.dx + first);
      if (op.dresidual != nullptr) Eight<T>::of(g).store(op.dresidual + first);
    }
  }
}

}  // namespace burin::cuda
