#pragma once

#include "burin/kernels/cuda/support/batch_norm_rows.h"

/// The kernels of batch_norm.cu's backward direction.

namespace burin::cuda {

/// All variants add up Σ g and Σ g · (x − mean) per channel, with g = dy where the ReLU passed.
/// sums: [parts, 2, C]; all but `vector` make one part. In: Gradient, or PooledGradient.

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
template <class In>
__global__ void gradient_sums_naive(In in, double* sums, Channels channels) {
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
template <class T, class In>
__global__ void __launch_bounds__(row_threads, 1)
    gradient_sums_vector(In in, double* sums, Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 2>;
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  const int c = rows.channel(), step = rows.step();
  SumAndRest g_sum[per_byte], centred_sum[per_byte];
  if (c < rows.C) {
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
  __shared__ SumsOfThreads of_thread;
  join_rows(g_sum, centred_sum, of_thread, sums, rows);
}

/// dx = scale · g − from_bias − (x − mean) · from_weight: the factors of a channel.
struct DxFactors {
  float scale;        // weight · inverse_std
  float from_bias;    // scale · dbias / n, or 0 where the statistics were given
  float from_weight;  // scale · inverse_std · dweight / n, likewise
};

/// What the sums become.
struct ParameterGradients {
  const float* weight;
  const float* inverse_std;
  float* dweight;
  float* dbias;
  double n;
  bool batch_statistics;

  /// Of BatchNormBackward or BatchNormMaxPoolBackward.
  template <class Op>
  static ParameterGradients of(const Op& op, bool batch_statistics) {
    return {op.weight.template as<float>(),
            op.inverse_std.template as<float>(),
            op.dweight.template as<float>(),
            op.dbias.template as<float>(),
            static_cast<double>(Channels::of(op.x).per_channel),
            batch_statistics};
  }
};

struct ChannelGradient {
  float dweight, dbias;
  DxFactors factors;
};

__device__ inline ChannelGradient gradient_of(const TwoSums& sum, float weight, float inverse_std,
                                              const ParameterGradients& to) {
  const double r = static_cast<double>(inverse_std);
  const double scale = static_cast<double>(weight) * r, dweight = sum.second * r;
  ChannelGradient gradient{static_cast<float>(dweight),
                           static_cast<float>(sum.first),
                           {static_cast<float>(scale), 0, 0}};
  if (to.batch_statistics) {  // else not even sums that are no numbers count
    const double per_element = scale / to.n;
    gradient.factors.from_bias = static_cast<float>(per_element * sum.first);
    gradient.factors.from_weight = static_cast<float>(per_element * r * dweight);
  }
  return gradient;
}

__device__ inline void keep_gradient(const ParameterGradients& to, int64_t c,
                                     const ChannelGradient& gradient) {
  to.dweight[c] = gradient.dweight;
  to.dbias[c] = gradient.dbias;
}

/// sums: [2, C]
inline __global__ void finish_gradients(const double* sums, ParameterGradients to,
                                        DxFactors* factors, int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= C) return;
  const ChannelGradient gradient =
      gradient_of({sums[c], sums[C + c]}, to.weight[c], to.inverse_std[c], to);
  keep_gradient(to, c, gradient);
  factors[c] = gradient.factors;
}

template <class T>
struct InputGradient {
  Gradient<T> in;
  T* dx;
  T* dresidual;  // or null
};

template <class T>
__global__ void gradient_apply_plain(InputGradient<T> op, const DxFactors* factors,
                                     Channels channels) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= channels.count) return;
  const int64_t c = channels.channel_of(i);
  const float g = op.in.passed(i), from_weight = factors[c].from_weight;
  float dx = factors[c].scale * g - factors[c].from_bias;
  if (from_weight != 0) dx -= (float(op.in.x[i]) - op.in.mean[c]) * from_weight;  // x may be ∞
  op.dx[i] = T(dx);
  if (op.dresidual != nullptr) op.dresidual[i] = T(g);
}

/// Variant `vector`: every block joins the sums, those of the first part keep dweight and dbias;
/// then as apply_vector.
template <class T>
__global__ void __launch_bounds__(row_threads, 1)
    gradient_apply_vector(InputGradient<T> op, const double* sums, int parts, ParameterGradients to,
                          Rows rows) {
  constexpr int in_flight = rows_in_flight<T, 2>;
  // Of given statistics neither x nor the mean counts, however large: both stay 0.
  __shared__ OfBlock means, scales, from_biases, from_weights;
  __shared__ SumsOfGroups of_group;
  const int step = rows.step();
  Eight<T> dy[in_flight] = {}, x[in_flight] = {};
  unsigned bits[in_flight] = {};
  const auto load = [&](int i, int row) {
    if (row < 0) return;
    const int64_t first = rows.offset(row);
    dy[i] = Eight<T>::at(op.in.dy + first);
    if (to.batch_statistics) x[i] = Eight<T>::at(op.in.x + first);
    bits[i] = op.in.passing(first);
  };
  int row = rows.channel() < rows.C ? rows.count - 1 - rows.first() : -1;
#pragma unroll
  for (int i = 0; i < in_flight; ++i) load(i, row - i * step);

  const int c = rows.spoken_for();
  float weight = 0, inverse_std = 0, own_mean = 0;
  if (c < rows.C) {
    weight = to.weight[c];
    inverse_std = to.inverse_std[c];
    if (to.batch_statistics) own_mean = op.in.mean[c];
  }
  cudaGridDependencySynchronize();  // that of the sums, which all read so far is older than
  const ChannelGradient gradient =
      gradient_of(join_parts(sums, parts, of_group, rows), weight, inverse_std, to);
  if (Rows::thread() < Rows::width()) {
    means.at[Rows::thread()] = own_mean;
    scales.at[Rows::thread()] = gradient.factors.scale;
    from_biases.at[Rows::thread()] = gradient.factors.from_bias;
    from_weights.at[Rows::thread()] = gradient.factors.from_weight;
  }
  __syncthreads();
  if (c < rows.C && blockIdx.y == 0) keep_gradient(to, c, gradient);
  const Eight<float> mean = means.mine(), scale = scales.mine();
  const Eight<float> from_bias = from_biases.mine(), from_weight = from_weights.mine();

  for (;;) {
#pragma unroll
    for (int i = 0; i < in_flight; ++i, row -= step) {
      if (row < 0) return;
      float dx[per_byte], g[per_byte];
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
        g[k] = (bits[i] >> k & 1) != 0 ? dy[i][k] : 0.0f;
        dx[k] = scale[k] * g[k] - from_bias[k] - (x[i][k] - mean[k]) * from_weight[k];
      }
      load(i, row - in_flight * step);
      const int64_t first = rows.offset(row);
      Eight<T>::of(dx).store(op.dx + first);
      if (op.dresidual != nullptr) Eight<T>::of(g).store(op.dresidual + first);
    }
  }
}

}  // namespace burin::cuda
