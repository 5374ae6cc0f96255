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
  float* running_mean;           // or null
  float* running_variance;       // or null
  int64_t* num_batches_tracked;  // or null
  float momentum;
  float epsilon;

  /// Of BatchNormTrain or BatchNormMaxPoolTrain.
  template <class Op>
  static Statistics of(const Op& op) {
    return {op.mean.template as<float>(),
            op.inverse_std.template as<float>(),
            op.running_mean.template as<float>(),
            op.running_variance.template as<float>(),
            op.num_batches_tracked.template as<int64_t>(),
            op.momentum,
            op.epsilon};
  }
};

/// What a channel is normalised with.
struct Normal {
  float mean;
  float inverse_std;
  float unbiased_variance;
};

__device__ inline Normal normal_of(const Moments& moments, float epsilon) {
  return {static_cast<float>(moments.mean),
          static_cast<float>(1 / sqrt(moments.squares / moments.count + epsilon)),
          static_cast<float>(moments.squares / (moments.count - 1))};
}

/// From Σ x and Σ (x − shift)² of a whole channel.
__device__ inline Normal normal_of_shifted(const TwoSums& sum, double shift, int count,
                                           float epsilon) {
  const double n = count, mean = sum.first / n, off = mean - shift;
  const double around = sum.second - n * off * off;
  return normal_of({n, mean, around < 0 ? 0 : around}, epsilon);
}

/// Called once for each channel. All is read before anything is written, or each would wait for the
/// one before.
__device__ inline void keep_statistics(const Statistics& to, int64_t c, const Normal& normal) {
  const bool counts = c == 0 && to.num_batches_tracked != nullptr;
  const float old_mean = to.running_mean != nullptr ? to.running_mean[c] : 0;
  const float old_variance = to.running_variance != nullptr ? to.running_variance[c] : 0;
  const int64_t old_count = counts ? *to.num_batches_tracked : 0;
  to.mean[c] = normal.mean;
  to.inverse_std[c] = normal.inverse_std;
  const float keep = 1 - to.momentum;
  if (to.running_mean != nullptr) {
    to.running_mean[c] = keep * old_mean + to.momentum * normal.mean;
  }
  if (to.running_variance != nullptr) {  // unbiased, as torch keeps it
    to.running_variance[c] = keep * old_variance + to.momentum * normal.unbiased_variance;
  }
  if (counts) *to.num_batches_tracked = old_count + 1;
}

inline __global__ void finish_statistics(const Moments* moments, Statistics to, int64_t C) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) keep_statistics(to, c, normal_of(moments[c], to.epsilon));
}

/// Σ x and Σ (x − shift)² of a thread's eight channels. All threads take their squares about one
/// value of the channel, so that its sums just add up.
struct ShiftedSums {
  SumAndRest sum[per_byte], squares[per_byte];
  float shift[per_byte];

  /// Calls begun() when the shift is known, and seen(row, values) for each row.
  template <class T, class Begun, class Seen>
  __device__ void add(const T* x, const Rows& rows, const RowSpan& span, const Begun& begun,
                      const Seen& seen) {
    constexpr int in_flight = rows_in_flight<T, 1>;
    constexpr int together = sizeof(T) == 2 ? in_flight : 1;
    const int c = rows.channel();
    if (c >= rows.C || span.first >= span.end) return;
    Eight<T> values[in_flight];
    // In place of a row behind the last: row 0, which holds the shift itself. Its square is 0.
    const auto load = [&](int row) {
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int at = row + i * span.step;
        values[i] = Eight<T>::at(x + rows.offset(at < span.end ? at : 0));
      }
    };
    int row = span.first;
    load(row);  // before the wait for the shift
    const auto first = Eight<T>::at(x + c);
    for (int k = 0; k < per_byte; ++k) shift[k] = shift_for(first[k]);
    begun();
    do {
      // Plain sums of four terms of 16 bits lose next to nothing; f32 are added one by one, for
      // where |mean| ≫ std the last bits matter.
#pragma unroll
      for (int k = 0; k < per_byte; ++k) {
#pragma unroll
        for (int begin = 0; begin < in_flight; begin += together) {
          float of_rows = 0, of_squares = 0;
#pragma unroll
          for (int i = begin; i < begin + together; ++i) {
            const float shifted = values[i][k] - shift[k];
            of_rows += values[i][k];
            of_squares += shifted * shifted;
          }
          sum[k].add(of_rows);
          squares[k].add(of_squares);
        }
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        if (row + i * span.step < span.end) seen(row + i * span.step, values[i]);
      }
      row += in_flight * span.step;
      if (row >= span.end) break;
      load(row);
    } while (true);
    for (int behind = (row - span.end) / span.step; behind > 0; --behind) {
      for (int k = 0; k < per_byte; ++k) sum[k].add(-shift[k]);
    }
  }
};

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

/// What apply_vector normalises with, from the sums. Every block makes its own; those of the first
/// part also keep it.
struct BatchStatistics {
  static constexpr bool made_by_launch_before = true;
  const double* sums;  // [parts, 2, C]
  const float* shift;  // [C]
  int parts;
  Statistics to;

  /// For the channel that the thread speaks for; all threads of the block call it.
  __device__ Normal of_block(const Rows& rows, SumsOfGroups& of_group) const {
    const int c = rows.spoken_for();
    const double from = c < rows.C ? static_cast<double>(shift[c]) : 0;
    return normal_of_shifted(join_parts(sums, parts, of_group, rows), from, rows.count, to.epsilon);
  }
  __device__ void keep(int c, const Normal& normal) const {
    if (blockIdx.y == 0) keep_statistics(to, c, normal);
  }
};

/// The same where the statistics are given.
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

/// The factors of a block's channels, of which a thread takes its own eight.
struct FactorsOfBlock {
  OfBlock means, scales, biases;

  /// By the thread that speaks for the channel, or for none.
  __device__ void set(const Normal& normal, float weight, float bias) {
    if (Rows::thread() >= Rows::width()) return;
    means.at[Rows::thread()] = normal.mean;
    scales.at[Rows::thread()] = normal.inverse_std * weight;
    biases.at[Rows::thread()] = bias;
  }
};
struct FactorsOfThread {
  Eight<float> mean, scale, bias;

  __device__ static FactorsOfThread of(const FactorsOfBlock& block) {
    return {block.means.mine(), block.scales.mine(), block.biases.mine()};
  }
};

/// A byte of the mask: which of eight outputs of ReLU, as they are stored, are not 0. NaN counts.
template <class T>
__device__ unsigned bits_above_zero(const Eight<T>& y) {
  unsigned bits = 0;
  if constexpr (sizeof(T) == 2) {
    // In two halves of a word at a time: what is added carries into a half's sign unless it is 0.
    constexpr unsigned magnitudes = 0x7fff7fff, signs = 0x80008000;
#pragma unroll
    for (int i = 0; i < per_byte / 2; ++i) {
      bits |= (((y.words[i] & magnitudes) + magnitudes) & signs) >> (15 - 2 * i);
    }
    return (bits | bits >> 15) & 0xff;  // the upper halves are the odd elements
  } else {
#pragma unroll
    for (int k = 0; k < per_byte; ++k) bits |= y[k] <= 0 ? 0u : 1u << k;
    return bits;
  }
}

/// Eight neighbours of a row, the first of them element `first`.
template <class T, bool has_residual>
__device__ void apply_eight(const Affine<T>& op, const FactorsOfThread& factors,
                            const Eight<T>& values, const Eight<T>& added, int64_t first) {
  float value[per_byte];
#pragma unroll
  for (int k = 0; k < per_byte; ++k) {
    value[k] = (values[k] - factors.mean[k]) * factors.scale[k] + factors.bias[k];
    if constexpr (has_residual) value[k] += added[k];
    value[k] = op.activated(value[k]);
  }
  const auto y = Eight<T>::of(value);
  y.store(op.y + first);
  if (op.relu_mask != nullptr) {
    op.relu_mask[first / per_byte] = static_cast<uint8_t>(bits_above_zero(y));
  }
}

/// Where apply_rows finds no row in shared memory.
template <class T>
struct NothingKept {
  __device__ static constexpr bool has(int /*row*/) { return false; }
  __device__ static Eight<T> pop() { return {}; }
};

/// What apply_rows needs of shared memory.
struct ApplyMemory {
  FactorsOfBlock factors;
  SumsOfGroups of_group;
};

/// The thread's rows from `row` down. A row's registers ask for the next row as soon as its result
/// is made; the first ones ask before `ready`, which returns when the statistics can be had. What
/// `kept` has is asked of it instead.
template <class T, bool has_residual, class From, class Kept, class Ready>
__device__ void apply_rows(const Affine<T>& op, const From& statistics, const Rows& rows, int row,
                           int step, Kept kept, ApplyMemory& memory, const Ready& ready) {
  constexpr int in_flight = rows_in_flight < T, has_residual ? 2 : 1 > ;
  Eight<T> values[in_flight] = {}, added[in_flight] = {};
  const auto load = [&](int i, int at) {
    if (at < 0) return;
    if (!kept.has(at)) values[i] = Eight<T>::at(op.x + rows.offset(at));
    if constexpr (has_residual) added[i] = Eight<T>::at(op.residual + rows.offset(at));
  };
#pragma unroll
  for (int i = 0; i < in_flight; ++i) load(i, row - i * step);

  const int c = rows.spoken_for();
  const float weight = c < rows.C ? op.weight[c] : 0, bias = c < rows.C ? op.bias[c] : 0;
  ready();
  const Normal normal = statistics.of_block(rows, memory.of_group);
  memory.factors.set(normal, weight, bias);
  __syncthreads();
  if (c < rows.C) statistics.keep(c, normal);
  const FactorsOfThread factors = FactorsOfThread::of(memory.factors);

  for (;;) {
#pragma unroll
    for (int i = 0; i < in_flight; ++i, row -= step) {
      if (row < 0) return;
      const Eight<T> x = kept.has(row) ? kept.pop() : values[i], more = added[i];
      load(i, row - in_flight * step);
      apply_eight<T, has_residual>(op, factors, x, more, rows.offset(row));
    }
  }
}

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
