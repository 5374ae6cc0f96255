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

/// A number with three digits: low < lows, middle < middles, and high. Goes on by a fixed step
/// without a division.
struct Odometer {
  int low, middle, high;
  int step_low, step_middle, step_high;

  __device__ Odometer(int value, int lows, int middles, int step)
      : low(value % lows),
        middle(value / lows % middles),
        high(value / lows / middles),
        step_low(step % lows),
        step_middle(step / lows % middles),
        step_high(step / lows / middles) {}
  __device__ void advance(int lows, int middles) {
    low += step_low;
    const bool low_over = low >= lows;
    if (low_over) low -= lows;
    middle += step_middle + (low_over ? 1 : 0);
    const bool middle_over = middle >= middles;
    if (middle_over) middle -= middles;
    high += step_high + (middle_over ? 1 : 0);
  }
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
    int k, k_end;
    Odometer at;  // channel, column and line of the tap

    __device__ Cursor(const Neighbourhoods& image, int row0, int k_begin, int end)
        : k(k_begin + static_cast<int>(threadIdx.x) % 8 * 8),
          k_end(end),
          at(k, image.C, image.taps_w, tile_depth) {
      for (int i = 0; i < count; ++i) {
        const int m = row0 + static_cast<int>(threadIdx.x) / 8 + 32 * i;
        const int column = m % image.rows_w, line = m / image.rows_w % image.rows_h;
        constexpr int outside = -(1 << 29);  // of every image, whatever is added
        h0[i] = m < image.M ? line * image.h.stride + image.h.offset : outside;
        w0[i] = column * image.w.stride + image.w.offset;
        const int n = m / image.rows_w / image.rows_h;
        base[i] = m < image.M ? ((n * image.H + h0[i]) * image.W + w0[i]) * image.C : 0;
      }
    }

    __device__ void load(const Neighbourhoods& image, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
      const int down = at.high * image.h.step, right = at.middle * image.w.step;
      const T* const from = image.data + ((down * image.W + right) * image.C + at.low);
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const bool valid = static_cast<unsigned>(h0[i] + down) < static_cast<unsigned>(image.H) &&
                           static_cast<unsigned>(w0[i] + right) < static_cast<unsigned>(image.W) &&
                           k < k_end;
        copy_async_16(tile + AlongK::at<tile_rows>(line + 32 * i, chunk), from + base[i], valid);
      }
      k += tile_depth;
      at.advance(image.C, image.taps_w);
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
    LinesOfPanels lines;
    int row, k, k_end;
    Odometer at;  // output channel, column and line of the tap among those of the class

    __device__ Cursor(const FilterColumns& filter, int row0, int k_begin, int end)
        : row(row0 + lines.chunk * 8),
          k(k_begin + lines.line),
          k_end(end),
          at(k, filter.K, filter.taps_w, 32) {}
    __device__ void load(const FilterColumns& filter, T* tile) {
#pragma unroll
      for (int i = 0; i < LinesOfPanels::passes; ++i) {
        const int r = filter.tap0_h + at.high * filter.step_h;
        const int s = filter.tap0_w + at.middle * filter.step_w;
        const T* const from =
            filter.data + (((at.low * filter.R + r) * filter.S + s) * filter.C + row);
#pragma unroll
        for (int p = 0; p < tile_rows / panel_rows; ++p) {
          const bool valid = row + panel_rows * p < filter.C && k < k_end;
          copy_async_16(tile + lines.template at<tile_rows>(i, p), from + panel_rows * p, valid);
        }
        k += 32;
        at.advance(filter.K, filter.taps_w);
      }
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
    static constexpr int panels = tile_rows / panel_rows;
    LinesOfPanels lines;
    int h0[panels], w0[panels], offset[panels];  // of each of this thread's taps and channels
    int k, k_end;
    Odometer at;  // output pixel: column, line, image

    __device__ Cursor(const TapColumns& image, int row0, int k_begin, int end)
        : k(k_begin + lines.line), k_end(end), at(k, image.g.Q, image.g.P, 32) {
#pragma unroll
      for (int p = 0; p < panels; ++p) {
        const int row = row0 + panel_rows * p + lines.chunk * 8, tap = row / image.channels;
        const int h = tap / image.g.S * image.g.dilation_h - image.g.pad_h;
        constexpr int outside = -(1 << 29);  // of every image, whatever is added
        h0[p] = tap < image.g.R * image.g.S ? h : outside;
        w0[p] = tap % image.g.S * image.g.dilation_w - image.g.pad_w;
        offset[p] = (h * image.g.W + w0[p]) * image.channels + row % image.channels;
      }
    }
    __device__ void load(const TapColumns& image, T* tile) {
#pragma unroll
      for (int i = 0; i < LinesOfPanels::passes; ++i) {
        const int h = at.middle * image.g.stride_h, w = at.low * image.g.stride_w;
        const T* const from =
            image.data + ((at.high * image.g.H + h) * image.g.W + w) * image.channels;
#pragma unroll
        for (int p = 0; p < panels; ++p) {
          const bool valid = static_cast<unsigned>(h + h0[p]) < static_cast<unsigned>(image.g.H) &&
                             static_cast<unsigned>(w + w0[p]) < static_cast<unsigned>(image.g.W) &&
                             k < k_end;
          copy_async_16(tile + lines.template at<tile_rows>(i, p), from + offset[p], valid);
        }
        k += 32;
        at.advance(image.g.Q, image.g.P);
      }
    }
  };
};

}  // namespace burin::cuda
