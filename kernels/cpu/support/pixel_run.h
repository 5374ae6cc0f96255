#pragma once

#include <algorithm>
#include <cstring>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/convert.h"

namespace burin::cpu {

/// A run of pixels of a lattice, counted through all images, and where each lies.
struct PixelRun {
  const Lattice& lattice;
  int64_t first, count;

  /// Calls visit(m, n, i, j): the m-th pixel of the run is (i, j) of image n's grid.
  template <class Visit>
  void for_each(const Visit& visit) const {
    int64_t n = first / lattice.pixels(), i = first % lattice.pixels() / lattice.columns;
    int64_t j = first % lattice.columns;
    for (int64_t m = 0; m < count; ++m) {
      visit(m, n, i, j);
      if (++j < lattice.columns) continue;
      j = 0;
      if (++i < lattice.rows) continue;
      i = 0;
      ++n;
    }
  }
};

/// tile[m, t · channels + c] = the source under tap t of pixel m; 0 outside the image.
template <class T>
void gather(const ConstView& source, int64_t first_channel, int64_t channels, const PixelRun& run,
            float* tile) {
  const Strides& strides = source.strides;
  const T* const base = source.as<T>() + first_channel * strides[1];
  const int64_t H = source.dim(2), W = source.dim(3);
  const Lattice& lattice = run.lattice;
  run.for_each([&](int64_t m, int64_t n, int64_t i, int64_t j) {
    float* to = tile + m * static_cast<int64_t>(lattice.taps.size()) * channels;
    for (const Tap& tap : lattice.taps) {
      const int64_t h = i * lattice.source_step_h + tap.dh;
      const int64_t w = j * lattice.source_step_w + tap.dw;
      if (h >= 0 && h < H && w >= 0 && w < W) {
        const T* const from = base + n * strides[0] + h * strides[2] + w * strides[3];
        copy_channels(from, strides[1], to, channels);
      } else {
        std::fill_n(to, channels, 0.0f);
      }
      to += channels;
    }
  });
}

/// True if the pixels of `view` in logical order lie at equal distances, channels dense, as floats:
/// then a matrix [pixels, channels] needs no copy.
inline bool is_float_matrix(const ConstView& view) {
  return view.dtype == DType::f32 && view.is_dense(Layout::nhwc);
}

inline bool covers_image(const Lattice& lattice, const ConstView& image) {
  return lattice.step_h == 1 && lattice.step_w == 1 && lattice.rows == image.dim(2) &&
         lattice.columns == image.dim(3);
}

}  // namespace burin::cpu
