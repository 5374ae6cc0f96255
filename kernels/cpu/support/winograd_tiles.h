#pragma once

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/view.h"
#include "burin/kernels/cpu/support/micro_gemm.h"
#include "burin/kernels/cpu/support/winograd_transform.h"

namespace burin::cpu {
namespace {

/// Length of a row of transformed tiles: whole panels, and an odd number of 64-byte lines, so that
/// rows do not compete for the same sets of the cache.
inline int64_t padded_row(int64_t channels) {
  return round_up(channels, 32) + 16;
}

/// The tiles of a batch of images, counted through all of them.
struct TileGrid {
  int64_t rows, columns;  // tiles in an image
  int64_t count;          // in all images

  TileGrid(int64_t N, int64_t P, int64_t Q)
      : rows(ceil_div(P, tile_outputs)),
        columns(ceil_div(Q, tile_outputs)),
        count(N * rows * columns) {}

  struct Place {
    int64_t n, p, q;  // image, first row and column of the tile's outputs
  };
  Place operator[](int64_t tile) const {
    const int64_t in_image = tile % (rows * columns);
    return {tile / (rows * columns), in_image / columns * tile_outputs,
            in_image % columns * tile_outputs};
  }
};

/// Transformed tiles: element (frequency, tile, channel) at
/// (frequency · tiles + tile) · row + channel.
struct TransformedTiles {
  float* data;
  int64_t tiles, row;

  float* at(int64_t frequency, int64_t tile) const {
    return data + (frequency * tiles + tile) * row;
  }
  static size_t floats(int64_t tiles, int64_t channels) {
    return static_cast<size_t>(frequencies * tiles * padded_row(channels));
  }
};

/// Some channels, filters or tiles in a row.
struct Run {
  int64_t first, count;
};

/// Reads a run of channels of a size × size square of pixels at (h, w), zeros outside the image,
/// transforms it and writes its 36 frequencies as tile `index` of `to`.
template <int size, class T, class Transform>
void transform_square(const ConstView& image, const Run& channels, const TileGrid::Place& at,
                      const Transform& transform, const TransformedTiles& to, int64_t index) {
  const int64_t C = image.dim(1), H = image.dim(2), W = image.dim(3);
  const T* const base = image.as<T>() + at.n * H * W * C + channels.first;
  for (int64_t c = 0; c < channels.count; c += lanes) {
    const int64_t count = std::min<int64_t>(lanes, channels.count - c);
    Vector in[size][size];
#pragma GCC unroll 6
    for (int i = 0; i < size; ++i) {
#pragma GCC unroll 6
      for (int j = 0; j < size; ++j) {
        const int64_t h = at.p + i, w = at.q + j;
        const bool inside = h >= 0 && h < H && w >= 0 && w < W;
        const T* const pixel = base + (h * W + w) * C + c;
        if (!inside) {
          in[i][j] = Vector{};
        } else if (count == lanes) {
          in[i][j] = load_widened(pixel);
        } else {
          in[i][j] = load_elements(pixel, 1, count);
        }
      }
    }
    Vector out[tile_inputs][tile_inputs];
    transform_tile(in, out, transform);
#pragma GCC unroll 6
    for (int i = 0; i < tile_inputs; ++i) {
#pragma GCC unroll 6
      for (int j = 0; j < tile_inputs; ++j) {
        store(to.at(i * tile_inputs + j, index) + c, out[i][j]);
      }
    }
  }
}

}  // namespace
}  // namespace burin::cpu
