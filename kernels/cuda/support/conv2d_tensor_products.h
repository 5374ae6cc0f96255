#pragma once

#include "burin/kernels/cuda/support/conv2d_tensor_tile.h"
#include "burin/kernels/cuda/support/output.h"

namespace burin::cuda {

// The three directions of a convolution of 16-bit elements in nhwc as products of tiles, see
// gemm_tensor_cores.h. The left or the right operand is gathered from the image while it travels to
// shared memory: no buffer of patches in memory.

template <class T>
struct ForwardProduct {
  using Element = T;
  Neighbourhoods<T> left;
  FilterRows<T> right;
  Output<T> out;
  int M, N, k_end;
  int k_begin = 0;

  __device__ void select(int /*z*/) {}
  __device__ int64_t row(int m) const { return int64_t(m) * N; }
  static constexpr bool stores_sums = false;
  __host__ __device__ const Output<T>& output() const { return out; }
  __device__ void store(int64_t row, int n, const float* sums, int count) const {
    out.store_row(row + n, n, sums, count);
  }
};

template <class T>
struct BackwardDataProduct {
  using Element = T;
  Neighbourhoods<T> left;
  FilterColumns<T> right;
  Output<T> out;
  Conv2dGeometry g;
  int N;
  int M = 0, k_begin = 0, k_end = 0;
  int z = 0;

  /// of_class = class down · stride_w + class across
  __device__ void select(int of_class) {
    z = of_class;
    const AxisClass down =
        AxisClass::of(z / g.stride_w, g.H, g.R, g.stride_h, g.pad_h, g.dilation_h);
    const AxisClass across =
        AxisClass::of(z % g.stride_w, g.W, g.S, g.stride_w, g.pad_w, g.dilation_w);
    M = g.N * down.extent * across.extent;
    k_end = down.taps * across.taps * g.K;
    left.rows = Digits::of(max(across.extent, 1), max(down.extent, 1), 32);
    left.M = M;
    const int depth = left.order.digits.lows;
    const int taps_w = max(across.taps, 1), taps_h = max(down.taps, 1);
    left.order = TapOrder::of(depth, taps_w, taps_h, tile_depth);
    left.h = {1, down.output0, -down.output_step};
    left.w = {1, across.output0, -across.output_step};
    right.tap0_h = down.tap0;
    right.step_h = down.tap_step;
    right.tap0_w = across.tap0;
    right.step_w = across.tap_step;
    right.order = TapOrder::of(depth, taps_w, taps_h, 32);
  }
  /// From the class alone: what select() finds need not be kept until the sums are there.
  __device__ int64_t row(int m) const {
    const int first_h = z / g.stride_w, first_w = z % g.stride_w;
    const int lines = AxisClass::extent_of(first_h, g.H, g.stride_h);
    const int columns = AxisClass::extent_of(first_w, g.W, g.stride_w);
    const int line = m / columns, j = m - line * columns, n = line / lines;
    const int h = first_h + (line - n * lines) * g.stride_h, w = first_w + j * g.stride_w;
    return ((int64_t{n} * g.H + h) * g.W + w) * N;
  }
  static constexpr bool stores_sums = false;
  __host__ __device__ const Output<T>& output() const { return out; }
  __device__ void store(int64_t row, int n, const float* sums, int count) const {
    out.store_row(row + n, n, sums, count);
  }
};

/// dw[m, n] summed over a part of the pixels. Left and Right are the gradient's ColumnMatrix, one
/// row an output channel, and the image's TapColumns, either one first.
template <class T, class Left, class Right>
struct BackwardWeightProduct {
  using Element = T;
  Left left;
  Right right;
  float* parts;  // [split][K][taps · channels]
  PixelSplit split;
  int pixels;
  int M, N;
  int k_begin = 0, k_end = 0;

  __device__ void select(int z) {
    k_begin = z * split.pixels;
    k_end = min(k_begin + split.pixels, pixels);
    parts += int64_t(z) * M * N;
  }
  static constexpr bool taps_are_rows = std::is_same_v<Left, TapColumns<T>>;
  __device__ int64_t row(int m) const { return taps_are_rows ? m : int64_t(m) * N; }
  /// Always eight: both extents are multiples of 8.
  __device__ void store(int64_t row, int n, const float* sums, int /*count*/) const {
    if constexpr (taps_are_rows) {
      for (int i = 0; i < 8; ++i) parts[row + int64_t(n + i) * M] = sums[i];
    } else {
      float4* const to = reinterpret_cast<float4*>(parts + row + n);
      to[0] = make_float4(sums[0], sums[1], sums[2], sums[3]);
      to[1] = make_float4(sums[4], sums[5], sums[6], sums[7]);
    }
  }
  static constexpr bool stores_sums = true;
  __device__ void store_pair(int64_t row, int n, float2 sums) const {
    if constexpr (taps_are_rows) {
      parts[row + int64_t(n) * M] = sums.x;
      parts[row + int64_t(n + 1) * M] = sums.y;
    } else {
      *reinterpret_cast<float2*>(parts + row + n) = sums;
    }
  }
};

}  // namespace burin::cuda
