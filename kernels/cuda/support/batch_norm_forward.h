#pragma once

#include "burin/kernels/cuda/support/batch_norm_apply.h"
#include "burin/kernels/cuda/support/batch_norm_statistics.h"

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

inline __global__ void finish_statistics(const Moments* moments, Statistics to, int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) keep_statistics(to, c, normal_of(moments[c], to.epsilon));
}

/// Variant `vector`. sums: [parts, 2, C], those of ShiftedSums; shift_of: [C], for their reader.
template <class T>
__global__ void __launch_bounds__(row_threads, 1)
    shifted_sums_vector(const T* x, double* sums, float* shift_of, Rows rows) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  ShiftedSums of_thread;
  const auto keep_shift = [&] {
    if (rows.first() == 0) Eight<float>::of(of_thread.shift).store(shift_of + rows.channel());
  };
  of_thread.add(x, rows, {rows.first(), rows.step(), rows.count}, keep_shift,
                [](int /*row*/, const Eight<T>& /*values*/) {});
  __shared__ SumsOfThreads joined;
  join_rows(of_thread.sum, of_thread.squares, joined, sums, rows);
}

__device__ inline float inverse_std_of(float variance, float epsilon) {
  return 1 / sqrtf(variance + epsilon);
}

inline __global__ void inverse_of_variance(const float* variance, float* inverse_std, float epsilon,
                                           int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) inverse_std[c] = inverse_std_of(variance[c], epsilon);
}

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

/// What apply_vector normalises with where the statistics are given.
struct GivenStatistics {
  static constexpr bool made_by_launch_before = false;
  const float* mean;
  const float* variance;
  float epsilon;

  __device__ Normal of_block(const Rows& rows, SumsOfGroups& /*of_group*/) const {
    const int c = rows.spoken_for();
    return c < rows.C ? Normal{mean[c], inverse_std_of(variance[c], epsilon), 0} : Normal{};
  }
  __device__ void keep(int /*c*/, const Normal& /*normal*/) const {}
};

/// Variant `vector`. Rows in falling order: the last that the statistics read are still in the L2
/// cache.
template <class T, bool has_residual, class From>
__global__ void __launch_bounds__(row_threads, 1)
    apply_vector(Affine<T> op, From statistics, Rows rows) {
  __shared__ ApplyMemory memory;
  const int last = rows.channel() < rows.C ? rows.count - 1 - rows.first() : -1;
  // The wait is for the launch that made the sums, which x is older than.
  apply_rows<T, has_residual>(op, statistics, rows, last, rows.step(), NothingKept<T>(), memory,
                              [] { cudaGridDependencySynchronize(); });
}

}  // namespace burin::cuda
