#pragma once

#include <cstdint>

#include "burin/kernels/base/view.h"
#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {

/// Where the elements of a channel lie in a dense image, or in rows of features [N, C].
struct Channels {
  int64_t C;
  int64_t inner;        // neighbours of one channel in memory: H·W in nchw, 1 in nhwc
  int64_t per_channel;  // elements of a channel: N·H·W
  int64_t count;        // of all

  template <class V>
  static Channels of(const V& x) {
    const int64_t C = x.dim(1);
    const bool last = x.rank() == 2 || x.is_dense(Layout::nhwc);
    return {C, last ? 1 : x.dim(2) * x.dim(3), x.numel() / C, x.numel()};
  }
  /// The channel of the i-th element in memory.
  __device__ int64_t channel_of(int64_t i) const { return i / inner % C; }
  /// Where element k of channel c lies.
  __device__ int64_t element(int64_t c, int64_t k) const {
    return (k / inner * C + c) * inner + k % inner;
  }
};

/// Whether the ReLU let element i pass (batch_norm.h says how its mask lies); an absent mask lets
/// all.
__device__ inline bool passes(const uint8_t* mask, int64_t i) {
  return mask == nullptr || (mask[i / 8] >> (i % 8) & 1) != 0;
}

/// Count, mean and sum of squared distances from it. In double: there are few, one a thread. Joined
/// as Welford's are: Chan, Golub & LeVeque 1979, "Updating formulae", eq. 2.1.
struct Moments {  // no initialisers: shared memory has none
  double count;
  double mean;
  double squares;

  __device__ void join(const Moments& other) {
    if (other.count == 0) return;
    const double total = count + other.count;
    const double apart = other.mean - mean;
    mean += apart * (other.count / total);
    squares += other.squares + apart * apart * (count * other.count / total);
    count = total;
  }
};

/// One pass and no division an element: squares are taken about a value of the channel itself, so
/// that little cancels however far the mean is from 0. `first` is the channel's first element.
__device__ inline float shift_for(float first) {
  return isfinite(first) ? first : 0.0f;
}

/// What Σ x and Σ (x − shift)² say.
__device__ inline Moments moments_about(float shift, float count, const CompensatedSum& sum,
                                        const CompensatedSum& squares) {
  if (count == 0) return {0, 0, 0};
  const double n = static_cast<double>(count), mean = sum.total() / n;
  const double off = mean - static_cast<double>(shift);
  const double around = squares.total() - n * off * off;
  return {n, mean, around < 0 ? 0 : around};
}

/// Of the lanes of a warp; lane 0 gets it.
__device__ inline Moments warp_moments(Moments moments) {
  for (int apart = 16; apart > 0; apart /= 2) {
    Moments other;
    other.count = __shfl_down_sync(whole_warp, moments.count, apart);
    other.mean = __shfl_down_sync(whole_warp, moments.mean, apart);
    other.squares = __shfl_down_sync(whole_warp, moments.squares, apart);
    moments.join(other);
  }
  return moments;
}

/// Elements of a byte of the ReLU mask.
inline constexpr int per_byte = 8;

}  // namespace burin::cuda
