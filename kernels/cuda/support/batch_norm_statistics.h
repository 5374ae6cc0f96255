#pragma once

#include "burin/kernels/cuda/support/batch_norm_rows.h"

/// From the sums of a channel to what it is normalised with, and to what training keeps of it.

namespace burin::cuda {

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

}  // namespace burin::cuda
