#pragma once

#include <algorithm>
#include <cstdint>

#include "burin/kernels/cuda/support/batch_norm_channels.h"

/// How the `vector` rung of batch_norm.cu walks an nhwc image: as rows of C channels, of which a
/// thread owns eight (a byte of the ReLU mask) in every row that it meets. What belongs to the
/// channels stays in registers.
///
/// Two launches over one grid. The first leaves two sums a channel and block: a part. In the second
/// every block joins the parts of its channels by itself, all in the same order, so nobody waits
/// for a launch between the two, and no atomics. That costs each block 16 bytes a channel and part,
/// from the L2 cache, so there are few parts: one block for an SM, and narrow ones.

namespace burin::cuda {

/// Rows that a thread asks for before it uses the first: 64 bytes of all operands. With the threads
/// of an SM that covers the latency of memory, about a microsecond.
template <class T, int operands>
inline constexpr int rows_in_flight = 64 / (per_byte * static_cast<int>(sizeof(T)) * operands);

inline constexpr int row_threads = 768;    // a block: as many as have 80 registers each on an SM
inline constexpr int widest_of_block = 8;  // columns, each of eight channels: 128 bytes of 16 bits

struct Rows {
  int count;  // N·H·W
  int C;      // a multiple of eight

  static constexpr int64_t most = int64_t{1} << 30;  // rows, channels: sums with a step stay ints

  static Rows of(const Channels& channels) {
    return {static_cast<int>(channels.per_channel), static_cast<int>(channels.C)};
  }

  /// The first of the thread's eight channels; C or more where it has none.
  __device__ int channel() const {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * per_byte;
  }
  /// The thread's rows: first(), first() + step(), …
  __device__ int first() const { return static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y); }
  __device__ int step() const { return static_cast<int>(gridDim.y * blockDim.y); }
  /// Where a row's elements of the thread begin.
  __device__ int64_t offset(int row) const { return int64_t(row) * C + channel(); }

  /// For what is done once a channel: the block's channels, and the one of them that the thread
  /// speaks for; C or more where it speaks for none.
  __device__ static int width() { return static_cast<int>(blockDim.x) * per_byte; }
  __device__ static int thread() {
    return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  }
  __device__ int spoken_for() const {
    return thread() < width() ? static_cast<int>(blockIdx.x) * width() + thread() : C;
  }
};

/// As many blocks as are resident at once, each with all its loads in flight.
struct RowGrid {
  dim3 grid, block;
  int C;

  static constexpr int one_a_multiprocessor = 132;  // of an H100 or H200

  static RowGrid of(const Rows& rows, int resident = one_a_multiprocessor) {
    constexpr int rows_per_thread = 4;  // at least, or loading what belongs to channels shows
    const int eights = rows.C / per_byte;
    int columns = 1;  // a power of two: the lanes of a warp that share a column are as many
    while (columns < std::min(eights, widest_of_block)) columns *= 2;
    const int across = (eights + columns - 1) / columns;
    const int height = row_threads / columns, least = height * rows_per_thread;
    const int parts =
        std::clamp((rows.count + least - 1) / least, 1, std::max(1, resident / across));
    return {dim3(static_cast<unsigned>(across), static_cast<unsigned>(parts)),
            dim3(static_cast<unsigned>(columns), static_cast<unsigned>(height)), rows.C};
  }
  int parts() const { return static_cast<int>(grid.y); }
  /// Doubles of [parts, 2, C].
  size_t sums() const { return static_cast<size_t>(parts()) * 2 * static_cast<size_t>(C); }
};

struct TwoSums {
  double first, second;
};

/// Adds what two lanes hold that are `apart`. Each keeps half of it: the upper lane the second.
template <int count>
__device__ void halve(double* mine, int apart) {
  const bool upper = (Rows::thread() & apart) != 0;
#pragma unroll
  for (int i = 0; i < count / 2; ++i) {
    const double given = upper ? mine[i] : mine[count / 2 + i];
    const double kept = upper ? mine[count / 2 + i] : mine[i];
    mine[i] = kept + __shfl_xor_sync(whole_warp, given, apart);
  }
}

/// Rows of a thread: first, first + step, … before the end.
struct RowSpan {
  int first, step, end;
};

/// What sums_of_block needs of shared memory: a thread's sums lie in other banks than their
/// neighbours'.
inline constexpr int sums_kept = per_byte / 2;  // of the 16 values of a thread, halved twice
using SumsOfThreads = double[sums_kept][row_threads + 2];

/// Adds up two sums that the threads of a block hold for each of their channels, in a fixed order.
/// Calls store(which, channel of the block, sum) once for each.
template <class Store>
__device__ void sums_of_block(const SumAndRest (&first)[per_byte],
                              const SumAndRest (&second)[per_byte], SumsOfThreads& of_thread,
                              const Store& store) {
  double mine[2 * per_byte];
#pragma unroll
  for (int k = 0; k < per_byte; ++k) {
    mine[k] = first[k].total();
    mine[per_byte + k] = second[k].total();
  }
  halve<2 * per_byte>(mine, 16);  // lanes from 16 on keep the second sums,
  halve<per_byte>(mine, 8);       // of either the upper eight lanes the channels from the fourth on
  const int thread = Rows::thread();
#pragma unroll
  for (int i = 0; i < sums_kept; ++i) of_thread[i][thread] = mine[i];
  __syncthreads();

  const int width = Rows::width(), columns = static_cast<int>(blockDim.x);
  const int which = thread / width, channel = thread % width;  // whose sum the thread makes
  if (which > 1) return;
  const int k = channel % per_byte;
  const int lane = 16 * which + k / sums_kept * 8 + channel / per_byte;
  double sum = 0;
  for (int same = 0; same < 8; same += columns) {
#pragma unroll
    for (int warp = 0; warp < row_threads; warp += 32) {
      sum += of_thread[k % sums_kept][warp + lane + same];
    }
  }
  store(which, channel, sum);
}

/// The same into sums: [parts, 2, C], of which the block writes its own.
__device__ inline void join_rows(const SumAndRest (&first)[per_byte],
                                 const SumAndRest (&second)[per_byte], SumsOfThreads& of_thread,
                                 double* sums, const Rows& rows) {
  sums_of_block(first, second, of_thread, [&](int which, int channel, double sum) {
    const int c = static_cast<int>(blockIdx.x) * Rows::width() + channel;
    if (c < rows.C) sums[(int64_t(blockIdx.y) * 2 + which) * rows.C + c] = sum;
  });
}

/// What join_parts needs of shared memory.
using SumsOfGroups = double[row_threads];

/// What join_rows left in `parts` parts, added up for the channel that the thread speaks for. All
/// threads of a block call it, in a fixed order they share the parts of its channels.
__device__ inline TwoSums join_parts(const double* sums, int parts, SumsOfGroups& of_group,
                                     const Rows& rows) {
  constexpr int in_flight = 11;  // what waits here is memory
  const int thread = Rows::thread(), width = Rows::width(), values = 2 * width;
  const int group = thread / values, groups = row_threads / values, value = thread % values;
  const int c = static_cast<int>(blockIdx.x) * width + value % width;
  double sum = 0;
  if (group < groups && c < rows.C) {
    const double* const from = sums + (value < width ? 0 : rows.C) + c;
    for (int begin = group; begin < parts; begin += groups * in_flight) {
      double of_part[in_flight];
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int part = begin + i * groups;
        of_part[i] = part < parts ? from[int64_t(part) * 2 * rows.C] : 0;
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) sum += of_part[i];
    }
  }
  of_group[thread] = sum;
  __syncthreads();

  TwoSums total{0, 0};
  if (thread >= width) return total;
#pragma unroll 6  // they are a multiple of it
  for (int i = 0; i < groups; ++i) {
    total.first += of_group[i * values + thread];
    total.second += of_group[i * values + width + thread];
  }
  return total;
}

/// Factors of a block's channels, written by the threads that speak for them.
struct OfBlock {
  alignas(16) float at[widest_of_block * per_byte];

  __device__ Eight<float> mine() const { return Eight<float>::at(at + threadIdx.x * per_byte); }
};

}  // namespace burin::cuda
