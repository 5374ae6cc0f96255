#pragma once

#include <algorithm>
#include <cstdint>

#include "burin/kernels/cuda/support/batch_norm_channels.h"

/// How the `vector` rung of batch_norm.cu walks an nhwc image: as rows of C channels, of which a
/// thread owns eight (a byte of the ReLU mask) in every row that it meets. What belongs to the
/// channels stays in registers.

namespace burin::cuda {

/// Rows that a thread asks for before it uses the first: 64 bytes of all operands. With the
/// threads of three blocks on an SM that covers the latency of memory, about a microsecond.
template <class T, int operands>
inline constexpr int rows_in_flight = 64 / (per_byte * static_cast<int>(sizeof(T)) * operands);

inline constexpr int row_threads = 256;
inline constexpr int row_blocks_per_sm = 3;  // at 80 registers a thread

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
};

/// Blocks of whole rows where they are short, of 256 channels where they are long; in y no more
/// than are resident at once, each with all its loads in flight.
struct RowGrid {
  dim3 grid, block;

  static RowGrid of(const Rows& rows) {
    constexpr int widest = 32;
    constexpr int rows_per_thread = 4;  // at least, or loading what belongs to channels shows
    constexpr int resident = 132 * row_blocks_per_sm;  // SMs of an H100 or H200
    const int eights = rows.C / per_byte;
    const int across = (eights + widest - 1) / widest;
    const int columns = (eights + across - 1) / across;
    const int height = row_threads / columns, least = height * rows_per_thread;
    const int parts =
        std::clamp((rows.count + least - 1) / least, 1, std::max(1, resident / across));
    return {dim3(static_cast<unsigned>(across), static_cast<unsigned>(parts)),
            dim3(static_cast<unsigned>(columns), static_cast<unsigned>(height))};
  }
  int parts() const { return static_cast<int>(grid.y); }
};

/// Adds up what the threads of a block hold for each channel, in the order of their rows.
/// to: [C], this block's.
__device__ inline void join_rows(const double (&mine)[per_byte], double* to, int C) {
  __shared__ double shared[per_byte][row_threads];
  const int columns = static_cast<int>(blockDim.x), height = static_cast<int>(blockDim.y);
  const int thread = static_cast<int>(threadIdx.y) * columns + static_cast<int>(threadIdx.x);
  __syncthreads();  // the array may still be read from the call before
  for (int k = 0; k < per_byte; ++k) shared[k][thread] = mine[k];
  __syncthreads();

  for (int i = thread; i < columns * per_byte; i += columns * height) {
    const int k = i / columns, column = i % columns;
    const int c = (static_cast<int>(blockIdx.x) * columns + column) * per_byte + k;
    if (c >= C) continue;
    double sum = 0;
    for (int row = 0; row < height; ++row) sum += shared[k][row * columns + column];
    to[c] = sum;
  }
}

struct TwoSums {
  double first, second;
};

/// The sums over `parts` of first[part · apart] and of second[part · apart], by the lanes of a warp
/// in a fixed order. All that waits here is memory, so sixteen loads a lane are under way.
__device__ inline TwoSums sums_of_parts(const double* first, const double* second, int parts,
                                        int apart) {
  constexpr int in_flight = 8;  // of either
  TwoSums sums{0, 0};
  for (int begin = threadIdx.x % 32; begin < parts; begin += 32 * in_flight) {
    double a[in_flight], b[in_flight];
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      const int part = begin + 32 * i;
      a[i] = part < parts ? first[int64_t(part) * apart] : 0;
      b[i] = part < parts ? second[int64_t(part) * apart] : 0;
    }
#pragma unroll
    for (int i = 0; i < in_flight; ++i) {
      sums.first += a[i];
      sums.second += b[i];
    }
  }
  return {warp_sum(sums.first), warp_sum(sums.second)};
}

}  // namespace burin::cuda
