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

/// How many values the two lower digits of a number with three digits have, and a step's digits.
struct Digits {
  int lows, middles;
  int step_low, step_middle, step_high;

  __host__ __device__ static Digits of(int lows, int middles, int step) {
    return {lows, middles, step % lows, step / lows % middles, step / lows / middles};
  }
};

/// A number in these digits, which goes on by the step without a division.
struct Odometer {
  int low, middle, high;

  __device__ Odometer(int value, const Digits& digits) {
    // Unsigned, which takes half of the instructions.
    const unsigned lows = static_cast<unsigned>(digits.lows);
    const unsigned middles = static_cast<unsigned>(digits.middles);
    const unsigned rest = static_cast<unsigned>(value) / lows;
    low = value - static_cast<int>(rest * lows);
    high = static_cast<int>(rest / middles);
    middle = static_cast<int>(rest) - high * digits.middles;
  }
  __device__ void advance(const Digits& digits) {
    low += digits.step_low;
    const bool low_over = low >= digits.lows;
    if (low_over) low -= digits.lows;
    middle += digits.step_middle + (low_over ? 1 : 0);
    const bool middle_over = middle >= digits.middles;
    if (middle_over) middle -= digits.middles;
    high += digits.step_high + (middle_over ? 1 : 0);
  }
};

/// How k runs through taps and channels:
///   k = ((channel / depth · taps_h + tap_h) · taps_w + tap_w) · depth + channel % depth
/// Where `depth` is a tile's, one tile after the other reads the pixels around the same outputs, at
/// most one further, so that most are still in the multiprocessor's cache.
struct TapOrder {
  Digits
      digits;  // channel % depth, tap_w, the rest, and the step from tile to tile or line to line
  int taps_h;

  static int depth_of(int channels) { return channels % tile_depth == 0 ? tile_depth : channels; }
  __host__ __device__ static TapOrder of(int depth, int taps_w, int taps_h, int step) {
    return {Digits::of(depth, taps_w, step), taps_h};
  }

  struct Place {
    Odometer at;   // channel % depth, tap_w, tap_h
    int channel0;  // the rest of the channel

    __device__ Place(const TapOrder& order, int k) : at(k, order.digits) {
      const int block = at.high / order.taps_h;
      channel0 = block * order.digits.lows;
      at.high -= block * order.taps_h;
    }
    __device__ void advance(const TapOrder& order) {
      at.advance(order.digits);
      if (at.high < order.taps_h) return;
      at.high -= order.taps_h;
      channel0 += order.digits.lows;
    }
    __device__ int channel() const { return channel0 + at.low; }
    __device__ int tap_w() const { return at.middle; }
    __device__ int tap_h() const { return at.high; }
  };
};

/// Pixels around an output pixel: row m = (n · rows_h + i) · rows_w + j, k in the order of taps.
/// The left operand of forward (from x) and of backward_data (from dy).
template <class T>
struct Neighbourhoods {
  using Lines = AlongK;
  const T* data;
  int H, W, C;  // of the image
  Digits rows;  // of m: j, i, n; and the step from line to line of a thread
  int M;
  TapOrder order;
  GatherAxis h, w;

  template <int tile_rows>
  struct Cursor {
    static constexpr int count = tile_rows / 32;
    // Of each of this thread's rows: the pixel before any tap, and which taps meet the image, a bit
    // for each tap_h and, above 16, for each tap_w.
    int base[count];
    uint32_t inside[count];
    int k, k_end;
    TapOrder::Place place;

    __device__ Cursor(const Neighbourhoods& image, int row0, int k_begin, int end)
        : k(k_begin + static_cast<int>(threadIdx.x) % 8 * 8), k_end(end), place(image.order, k) {
      int m = row0 + static_cast<int>(threadIdx.x) / 8;
      Odometer at(m, image.rows);
#pragma unroll
      for (int i = 0; i < count; ++i, m += 32) {
        const int row = at.middle * image.h.stride + image.h.offset;
        const int column = at.low * image.w.stride + image.w.offset;
        base[i] = ((at.high * image.H + row) * image.W + column) * image.C;
        inside[i] = m < image.M
                        ? taps_inside(row, image.h.step, image.H, image.order.taps_h) |
                              taps_inside(column, image.w.step, image.W, image.order.digits.middles)
                                  << 16
                        : 0;
        at.advance(image.rows);
      }
    }
    __device__ static uint32_t taps_inside(int at, int step, int pixels, int taps) {
      if (step == 1) return below(min(pixels - at, taps)) & ~below(-at);
      if (step == -1) return below(min(at + 1, taps)) & ~below(at + 1 - pixels);
      uint32_t bits = 0;
      for (int tap = 0; tap < taps; ++tap, at += step) {
        if (at >= 0 && at < pixels) bits |= 1u << tap;
      }
      return bits;
    }
    /// The bits of the taps before one.
    __device__ static uint32_t below(int tap) {
      return (1u << min(max(tap, 0), 16)) - 1;
    }

    __device__ void load(const Neighbourhoods& image, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
      const int down = place.tap_h() * image.h.step, right = place.tap_w() * image.w.step;
      const T* const from = image.data + ((down * image.W + right) * image.C + place.channel());
      const uint32_t tap = 1u << place.tap_h() | 0x10000u << place.tap_w();
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const bool valid = (inside[i] & tap) == tap && k < k_end;
        copy_async_16_cached(tile + AlongK::at<tile_rows>(line + 32 * i, chunk), from + base[i],
                             valid);
      }
      k += tile_depth;
      place.advance(image.order);
    }
  };
};

/// The filter seen from y: rows along K, k in the order of taps.
template <class T>
struct FilterRows {
  using Lines = AlongK;
  const T* data;  // [K, R, S, C] in memory
  int K, C;
  TapOrder order;

  template <int tile_rows>
  struct Cursor {
    static constexpr int count = tile_rows / 32;
    const T* from;  // of this thread's first row
    int row, k, k_end;
    TapOrder::Place place;

    __device__ Cursor(const FilterRows& filter, int row0, int k_begin, int end)
        : row(row0 + static_cast<int>(threadIdx.x) / 8),
          k(k_begin + static_cast<int>(threadIdx.x) % 8 * 8),
          k_end(end),
          place(filter.order, k) {
      from = filter.data + row * filter.pitch();
    }
    __device__ void load(const FilterRows& filter, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
      const int tap = place.tap_h() * filter.order.digits.middles + place.tap_w();
      const T* const tap_from = from + (tap * filter.C + place.channel());
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const bool valid = row + 32 * i < filter.K && k < k_end;
        copy_async_16(tile + AlongK::at<tile_rows>(line + 32 * i, chunk),
                      tap_from + 32 * i * filter.pitch(), valid);
      }
      k += tile_depth;
      place.advance(filter.order);
    }
  };
  __device__ int pitch() const {
    return order.taps_h * order.digits.middles * C;
  }
};

/// The filter seen from dx: rows along C, k in the order of taps, those of one class of pixels, and
/// output channels.
template <class T>
struct FilterColumns {
  using Lines = AlongRows;
  const T* data;  // [K, R, S, C] in memory
  int R, S, C;
  TapOrder order;
  int tap0_h, step_h, tap0_w, step_w;

  template <int tile_rows>
  struct Cursor {
    LinesOfPanels lines;
    int row, k, k_end;
    TapOrder::Place place;

    __device__ Cursor(const FilterColumns& filter, int row0, int k_begin, int end)
        : row(row0 + lines.chunk * 8),
          k(k_begin + lines.line),
          k_end(end),
          place(filter.order, k) {}
    __device__ void load(const FilterColumns& filter, T* tile) {
#pragma unroll
      for (int i = 0; i < LinesOfPanels::passes; ++i) {
        const int r = filter.tap0_h + place.tap_h() * filter.step_h;
        const int s = filter.tap0_w + place.tap_w() * filter.step_w;
        const T* const from =
            filter.data + (((place.channel() * filter.R + r) * filter.S + s) * filter.C + row);
#pragma unroll
        for (int p = 0; p < tile_rows / panel_rows; ++p) {
          const bool valid = row + panel_rows * p < filter.C && k < k_end;
          copy_async_16(tile + lines.template at<tile_rows>(i, p), from + panel_rows * p, valid);
        }
        k += 32;
        place.advance(filter.order);
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
  int channels;   // of the image in memory
  Digits pixels;  // of k: column, line, image; and the step from line to line of a thread

  template <int tile_rows>
  struct Cursor {
    static constexpr int panels = tile_rows / panel_rows;
    LinesOfPanels lines;
    int h0[panels], w0[panels], offset[panels];  // of each of this thread's taps and channels
    int k, k_end;
    Odometer at;  // output pixel: column, line, image

    __device__ Cursor(const TapColumns& image, int row0, int k_begin, int end)
        : k(k_begin + lines.line), k_end(end), at(k, image.pixels) {
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
          copy_async_16_cached(tile + lines.template at<tile_rows>(i, p), from + offset[p], valid);
        }
        k += 32;
        at.advance(image.pixels);
      }
    }
  };
};

}  // namespace burin::cuda
