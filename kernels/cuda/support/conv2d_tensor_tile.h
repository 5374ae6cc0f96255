#pragma once

#include "burin/kernels/cuda/support/conv2d_geometry.h"
#include "burin/kernels/cuda/support/tensor_tile.h"

namespace burin::cuda {

// Operands of a convolution in nhwc as tiles for tensor cores: each gathers its chunks of eight
// channels from the image on the fly. Channels are a multiple of 8, so that a chunk never crosses a
// tap.

/// One axis of the way from a row of the product and a tap to a pixel: stride · i + offset + step ·
/// tap.
struct GatherAxis {
  int stride, offset, step;
};

/// Pixels around an output pixel: row m = (n · rows_h + i) · rows_w + j, k = (tap_h · taps_w +
/// tap_w) · C + c. The left operand of forward (from x) and of backward_data (from dy).
template <class T>
struct Neighbourhoods {
  using Lines = AlongK;
  const T* data;
  int H, W, C;  // of the image
  int rows_h, rows_w, M, taps_w;
  GatherAxis h, w;

  template <int tile_rows>
  struct Cursor {
    static constexpr int count = tile_rows / 32;
    int h0[count], w0[count], base[count];  // of each of this thread's rows, before any tap
    int k, k_end, c, tap_h, tap_w;

    __device__ Cursor(const Neighbourhoods& image, int row0, int k_begin, int end)
        : k(k_begin + static_cast<int>(threadIdx.x) % 8 * 8), k_end(end) {
      for (int i = 0; i < count; ++i) {
        const int m = row0 + static_cast<int>(threadIdx.x) / 8 + 32 * i;
        const int column = m % image.rows_w, line = m / image.rows_w % image.rows_h;
        constexpr int outside = -(1 << 29);  // of every image, whatever is added
        h0[i] = m < image.M ? line * image.h.stride + image.h.offset : outside;
        w0[i] = column * image.w.stride + image.w.offset;
        const int n = m / image.rows_w / image.rows_h;
        base[i] = m < image.M ? ((n * image.H + h0[i]) * image.W + w0[i]) * image.C : 0;
      }
      c = k % image.C;
      tap_w = k / image.C % image.taps_w;
      tap_h = k / image.C / image.taps_w;
    }

    __device__ void load(const Neighbourhoods& image, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
      const int down = tap_h * image.h.step, right = tap_w * image.w.step;
      const int shift = (down * image.W + right) * image.C + c;
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const bool valid = static_cast<unsigned>(h0[i] + down) < static_cast<unsigned>(image.H) &&
                           static_cast<unsigned>(w0[i] + right) < static_cast<unsigned>(image.W) &&
                           k < k_end;
        copy_async_16(tile + AlongK::at<tile_rows>(line + 32 * i, chunk),
                      valid ? image.data + (base[i] + shift) : image.data, valid);
      }
      k += tile_depth;
      for (c += tile_depth; c >= image.C; c -= image.C) {
        if (++tap_w == image.taps_w) {
          tap_w = 0;
          ++tap_h;
        }
      }
    }
  };
};

/// The filter seen from dx: rows along C, k = (tap_h · taps_w + tap_w) · K + output channel, over
/// the taps of one class of pixels.
template <class T>
struct FilterColumns {
  using Lines = AlongRows;
  const T* data;  // [K, R, S, C] in memory
  int K, R, S, C;
  int tap0_h, step_h, tap0_w, step_w, taps_w;

  template <int tile_rows>
  struct Cursor {
    static constexpr int chunks = tile_rows / 8;
    static constexpr int lines = tile_threads / chunks;
    int row, k, k_end;

    __device__ Cursor(const FilterColumns& /*filter*/, int row0, int k_begin, int end)
        : row(row0 + static_cast<int>(threadIdx.x) % chunks * 8),
          k(k_begin + static_cast<int>(threadIdx.x) / chunks),
          k_end(end) {}
    __device__ void load(const FilterColumns& filter, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / chunks;
      const int chunk = static_cast<int>(threadIdx.x) % chunks;
      for (int i = 0; i < tile_depth / lines; ++i) {
        const int at = k + lines * i, tap = at / filter.K;
        const int r = filter.tap0_h + tap / filter.taps_w * filter.step_h;
        const int s = filter.tap0_w + tap % filter.taps_w * filter.step_w;
        const bool valid = row < filter.C && at < k_end;
        const int from = ((at % filter.K * filter.R + r) * filter.S + s) * filter.C + row;
        copy_async_16(tile + AlongRows::at<tile_rows>(line + lines * i, chunk),
                      valid ? filter.data + from : filter.data, valid);
      }
      k += tile_depth;
    }
  };
};

/// Neighbourhoods the other way round, for weight gradients: rows along the taps, (r · S + s) · C +
/// c, and k = output pixel.
template <class T>
struct TapColumns {
  using Lines = AlongRows;
  const T* data;
  Conv2dGeometry g;
  int channels;  // of the image in memory

  template <int tile_rows>
  struct Cursor {
    static constexpr int chunks = tile_rows / 8;
    static constexpr int lines = tile_threads / chunks;
    int h0, w0, c, k, k_end;
    bool inside;

    __device__ Cursor(const TapColumns& image, int row0, int k_begin, int end)
        : k(k_begin + static_cast<int>(threadIdx.x) / chunks), k_end(end) {
      const int row = row0 + static_cast<int>(threadIdx.x) % chunks * 8, tap = row / image.channels;
      c = row % image.channels;
      h0 = tap / image.g.S * image.g.dilation_h - image.g.pad_h;
      w0 = tap % image.g.S * image.g.dilation_w - image.g.pad_w;
      inside = tap < image.g.R * image.g.S;
    }
    __device__ void load(const TapColumns& image, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / chunks;
      const int chunk = static_cast<int>(threadIdx.x) % chunks;
      for (int i = 0; i < tile_depth / lines; ++i) {
        const int at = k + lines * i, pq = at / image.g.Q;
        const int h = pq % image.g.P * image.g.stride_h + h0;
        const int w = at % image.g.Q * image.g.stride_w + w0;
        const bool valid =
            inside && at < k_end && h >= 0 && h < image.g.H && w >= 0 && w < image.g.W;
        const int n = pq / image.g.P;
        const int from = ((n * image.g.H + h) * image.g.W + w) * image.channels + c;
        copy_async_16(tile + AlongRows::at<tile_rows>(line + lines * i, chunk),
                      valid ? image.data + from : image.data, valid);
      }
      k += tile_depth;
    }
  };
};

}  // namespace burin::cuda
