#pragma once

#include "burin/kernels/cuda/support/conv2d_geometry.h"

namespace burin::cuda {

// A first convolution, of an image's few channels, for tensor cores, which take eight at a time.
// Copies of image and filter are made in one of two forms:
//   wide   channels padded to a multiple of 8
//   pairs  channels padded to 4, and two neighbouring pixels seen as one of eight channels. With a
//          stride of 2 across, the filter then moves by whole pairs: 7 taps become 4, and of
//          3 · 7 · 7 sums' 147 products 224 are made instead of 392.

/// Form and geometry of the copies.
struct Stem {
  Conv2dGeometry g;  // of the convolution of the copies; its C is the original's
  int channels;      // of the copies
  int before;        // pairs: how many taps the first pair begins before the filter does, 0 or 1
  bool pairs;

  static Stem of(const Conv2dGeometry& g) {
    Stem stem{g, (g.C + 7) / 8 * 8, 0, false};
    if (g.C > 4 || g.W % 2 != 0 || g.stride_w != 2 || g.dilation_w != 1) return stem;
    const int pad = (g.pad_w + 1) / 2;
    stem.channels = 8;
    stem.before = 2 * pad - g.pad_w;
    stem.pairs = true;
    stem.g.W = g.W / 2;
    stem.g.S = (g.S + stem.before + 1) / 2;
    stem.g.stride_w = 1;
    stem.g.pad_w = pad;
    return stem;
  }
  size_t image_elements() const { return static_cast<size_t>(int64_t{g.N} * g.H * g.W * channels); }
  size_t filter_elements() const {
    return static_cast<size_t>(int64_t{g.K} * g.R * g.S * channels);
  }
};

/// The copies. 16-bit elements, dense in nhwc; `to` has the room that Stem says.
void copy_image(const Stem& stem, const ConstView& x, void* to, Stream& stream);
void copy_filter(const Stem& stem, const ConstView& w, void* to, Stream& stream);

/// Adds the parts of the copies' weight gradient, f32 [count][K][R · S · channels], and writes what
/// belongs to the original as dw.
void add_stem_parts(const Stem& stem, const float* parts, int count, const Conv2dBackwardWeight& op,
                    Stream& stream);

}  // namespace burin::cuda
