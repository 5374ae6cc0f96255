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
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    out.store_row(int64_t(m) * N + n, n, sums, count);
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
  AxisClass down{}, across{};

  /// z = class down · stride_w + class across
  __device__ void select(int z) {
    down = AxisClass::of(z / g.stride_w, g.H, g.R, g.stride_h, g.pad_h, g.dilation_h);
    across = AxisClass::of(z % g.stride_w, g.W, g.S, g.stride_w, g.pad_w, g.dilation_w);
    M = g.N * down.extent * across.extent;
    k_end = down.taps * across.taps * g.K;
    left.rows_h = down.extent;
    left.rows_w = across.extent;
    left.M = M;
    left.order.taps_h = max(down.taps, 1);
    left.order.taps_w = max(across.taps, 1);
    left.h = {1, down.output0, -down.output_step};
    left.w = {1, across.output0, -across.output_step};
    right.tap0_h = down.tap0;
    right.step_h = down.tap_step;
    right.tap0_w = across.tap0;
    right.step_w = across.tap_step;
    right.order = left.order;
  }
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    const int j = m % across.extent, line = m / across.extent;
    const int h = down.first + line % down.extent * g.stride_h, v = across.first + j * g.stride_w;
    const int64_t pixel = (int64_t(line / down.extent) * g.H + h) * g.W + v;
    out.store_row(pixel * N + n, n, sums, count);
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
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    constexpr bool taps_are_rows = std::is_same_v<Left, TapColumns<T>>;
    float* const to = parts + (taps_are_rows ? int64_t(n) * M + m : int64_t(m) * N + n);
    for (int i = 0; i < count && i < 8; ++i) to[taps_are_rows ? int64_t(i) * M : i] = sums[i];
  }
};

}  // namespace burin::cuda
