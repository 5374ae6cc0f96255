#pragma once

#include "burin/kernels/cuda/support/batch_norm_channels.h"
#include "burin/kernels/cuda/support/compensated_sum.h"

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

/// Variant `vector`, nhwc: a thread owns a packet of channels and every 16th row of its part of the
/// image; its neighbours in y are joined through shared memory. moments: [parts, C].
template <class T>
__global__ void moments_vector(const T* x, Moments* moments, Channels channels) {
  constexpr int n = Packet<T>::size;
  __shared__ Moments shared[packet_rows][packet_columns];
  const int64_t C = channels.C, rows = channels.per_channel;
  const int64_t c = (int64_t(blockIdx.x) * packet_columns + threadIdx.x) * n;
  const int64_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;

  CompensatedSum sum[n], squares[n];
  float shift[n] = {};
  float count = 0;
  if (c < C) {
    const Packet<T> first = *reinterpret_cast<const Packet<T>*>(x + c);
    for (int k = 0; k < n; ++k) shift[k] = shift_for(float(first.at[k]));
    for (int64_t row = begin + threadIdx.y; row < end; row += packet_rows) {
      const Packet<T> values = *reinterpret_cast<const Packet<T>*>(x + row * C + c);
      for (int k = 0; k < n; ++k) {
        const float value = float(values.at[k]);
        sum[k].add(value);
        squares[k].add((value - shift[k]) * (value - shift[k]));
      }
      count += 1;
    }
  }

  for (int k = 0; k < n; ++k) {
    shared[threadIdx.y][threadIdx.x] = moments_about(shift[k], count, sum[k], squares[k]);
    __syncthreads();
    if (threadIdx.y == 0 && c < C) {
      Moments all = shared[0][threadIdx.x];
      for (int row = 1; row < packet_rows; ++row) all.join(shared[row][threadIdx.x]);
      moments[int64_t(blockIdx.y) * C + c + k] = all;
    }
    __syncthreads();
  }
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

/// One thread per channel joins its parts, in their order.
inline __global__ void finish_statistics(const Moments* moments, int parts, Statistics to,
                                         int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= C) return;
  Moments all = moments[c];
  for (int part = 1; part < parts; ++part) all.join(moments[int64_t(part) * C + c]);
  const float mean = static_cast<float>(all.mean);
  to.mean[c] = mean;
  to.inverse_std[c] = static_cast<float>(1 / sqrt(all.squares / all.count + to.epsilon));
  const float keep = 1 - to.momentum;
  if (to.running_mean != nullptr) {
    to.running_mean[c] = keep * to.running_mean[c] + to.momentum * mean;
  }
  if (to.running_variance != nullptr) {  // unbiased, as torch keeps it
    const float unbiased = static_cast<float>(all.squares / (all.count - 1));
    to.running_variance[c] = keep * to.running_variance[c] + to.momentum * unbiased;
  }
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

/// nhwc with C a multiple of 8: the same eight neighbours in packets.
template <class T>
__global__ void apply_vector(Affine<T> op, Channels channels) {
  const int64_t byte = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t first = byte * per_byte;
  if (first >= channels.count) return;
  const int64_t c = first % channels.C;
  float values[per_byte];
  load_eight(op.x + first, values);
  for (int k = 0; k < per_byte; ++k) values[k] = op.normalized(values[k], c + k);
  if (op.residual != nullptr) {
    float added[per_byte];
    load_eight(op.residual + first, added);
    for (int k = 0; k < per_byte; ++k) values[k] += added[k];
  }
  unsigned bits = 0;
  for (int k = 0; k < per_byte; ++k) {
    values[k] = op.activated(values[k]);
    bits |= (float(T(values[k])) <= 0 ? 0u : 1u) << k;
  }
  store_eight(op.y + first, values);
  if (op.relu_mask != nullptr) op.relu_mask[byte] = static_cast<uint8_t>(bits);
}

}  // namespace burin::cuda
