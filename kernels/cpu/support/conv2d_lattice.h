#pragma once

#include <vector>

#include "burin/kernels/conv2d.h"

namespace burin::cpu {

/// One tap of a filter that meets the image: output (i, j) of a lattice reads source pixel
/// (i · source_step_h + dh, j · source_step_w + dw), weighted with filter position (r, s).
struct Tap {
  int64_t dh, dw;
  int64_t r, s;
};

/// A regular grid of output pixels that all read the source through the same taps.
///
/// Forward is one lattice. Backward_data is stride_h · stride_w of them: the pixels of dx with the
/// same remainder modulo the stride read dy with step 1, through the taps whose distance the stride
/// divides. So no zeros are multiplied, and neither direction needs to scatter. Taps that see
/// nothing but padding are left out: on images of one pixel a padded 3×3 filter is a 1×1 filter.
struct Lattice {
  int64_t rows, columns;     // of the grid in each image
  int64_t first_h, first_w;  // its first pixel in the output image
  int64_t step_h, step_w;
  int64_t source_step_h, source_step_w;
  std::vector<Tap> taps;

  int64_t pixels() const { return rows * columns; }
};

/// Where channels and pixels of both images lie, and which weights connect them.
///   destination[n, g · out_channels + o, …] = Σ_{tap, i} source[n, g · in_channels + i, …]
///       · w[g · group_stride + o · out_stride + i · in_stride + r · strides[2] + s · strides[3]]
struct Correlation {
  ConstView source, w;
  View destination;
  Epilogue epilogue;
  int64_t groups = 1, in_channels = 0, out_channels = 0;    // channels of one group
  int64_t group_stride = 0, in_stride = 0, out_stride = 0;  // in w
  std::vector<Lattice> lattices = {};

  static Correlation from(const Conv2dForward& op);
  static Correlation from(const Conv2dBackwardData& op);
  size_t most_taps() const;
};

}  // namespace burin::cpu
