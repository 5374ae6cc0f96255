#pragma once

#include "burin/kernels/cuda/support/batch_norm_channels.h"
#include "burin/kernels/cuda/support/compensated_sum.h"

/// The kernels of batch_norm.cu's backward direction.

namespace burin::cuda {

/// Per channel: Σ g and Σ g · (x − mean), with g = dy where the ReLU passed.
struct GradientSums {
  double g;
  double g_centred;
};

template <class T>
struct Gradient {
  const T* dy;
  const T* x;
  const uint8_t* relu_mask;  // or null
  const float* mean;

  __device__ float passed(int64_t i) const { return passes(relu_mask, i) ? float(dy[i]) : 0.0f; }
};

/// Variant `naive`: one thread per channel.
template <class T>
__global__ void gradient_sums_naive(Gradient<T> in, GradientSums* sums, Channels channels) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= channels.C) return;
  CompensatedSum g_sum, centred_sum;
  for (int64_t k = 0; k < channels.per_channel; ++k) {
    const int64_t i = channels.element(c, k);
    const float g = in.passed(i);
    g_sum.add(g);
    centred_sum.add(g * (float(in.x[i]) - in.mean[c]));
  }
  sums[c] = {g_sum.total(), centred_sum.total()};
}

/// Variant `welford` (of the forward pass): one block per channel.
template <class T>
__global__ void gradient_sums_block(Gradient<T> in, GradientSums* sums, Channels channels) {
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
  if (threadIdx.x == 0) sums[c] = {g, centred};
}

/// Variant `vector`, nhwc: as moments_vector. sums: [parts, C].
template <class T>
__global__ void gradient_sums_vector(Gradient<T> in, GradientSums* sums, Channels channels) {
  constexpr int n = Packet<T>::size;
  __shared__ GradientSums shared[packet_rows][packet_columns];
  const int64_t C = channels.C, rows = channels.per_channel;
  const int64_t c = (int64_t(blockIdx.x) * packet_columns + threadIdx.x) * n;
  const int64_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;

  CompensatedSum g_sum[n], centred_sum[n];
  if (c < C) {
    float mean[n];
    for (int k = 0; k < n; ++k) mean[k] = in.mean[c + k];
    for (int64_t row = begin + threadIdx.y; row < end; row += packet_rows) {
      const int64_t first = row * C + c;
      const Packet<T> dy = *reinterpret_cast<const Packet<T>*>(in.dy + first);
      const Packet<T> x = *reinterpret_cast<const Packet<T>*>(in.x + first);
      const unsigned bits =
          in.relu_mask == nullptr ? 0xffu : in.relu_mask[first / 8] >> (first % 8);
      for (int k = 0; k < n; ++k) {
        const float g = (bits >> k & 1) != 0 ? float(dy.at[k]) : 0.0f;
        g_sum[k].add(g);
        centred_sum[k].add(g * (float(x.at[k]) - mean[k]));
      }
    }
  }

  for (int k = 0; k < n; ++k) {
    shared[threadIdx.y][threadIdx.x] = {g_sum[k].total(), centred_sum[k].total()};
    __syncthreads();
    if (threadIdx.y == 0 && c < C) {
      GradientSums all = shared[0][threadIdx.x];
      for (int row = 1; row < packet_rows; ++row) {
        all.g += shared[row][threadIdx.x].g;
        all.g_centred += shared[row][threadIdx.x].g_centred;
      }
      sums[int64_t(blockIdx.y) * C + c + k] = all;
    }
    __syncthreads();
  }
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

inline __global__ void finish_gradients(const GradientSums* sums, int parts, ParameterGradients to,
                                        Factors factors, int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= C) return;
  double g = 0, centred = 0;
  for (int part = 0; part < parts; ++part) {
    g += sums[int64_t(part) * C + c].g;
    centred += sums[int64_t(part) * C + c].g_centred;
  }
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

/// nhwc with C a multiple of 8: a thread owns the eight neighbours of one byte of the mask.
template <class T>
__global__ void gradient_apply_vector(InputGradient<T> op, Channels channels) {
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * per_byte;
  if (first >= channels.count) return;
  const int64_t c = first % channels.C;
  float g[per_byte], x[per_byte];
  load_eight(op.in.dy + first, g);
  load_eight(op.in.x + first, x);
  const unsigned bits = op.in.relu_mask == nullptr ? 0xffu : op.in.relu_mask[first / per_byte];
  for (int k = 0; k < per_byte; ++k) {
    g[k] = (bits >> k & 1) != 0 ? g[k] : 0.0f;
    x[k] = op.value(g[k], x[k], c + k);
  }
  store_eight(op.dx + first, x);
  if (op.dresidual != nullptr) store_eight(op.dresidual + first, g);
}

}  // namespace burin::cuda
