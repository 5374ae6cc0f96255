#include "burin/kernels/cpu/support/conv2d_im2col.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/gemm.h"
#include "burin/kernels/cpu/support/pixel_run.h"

namespace burin::cpu {
namespace {

// Floats of a tile's gathered matrix: it should stay in the second-level cache or near it, and have
// rows enough that GEMM's packing of the weights is paid back.
constexpr int64_t tile_floats = 256 * 1024;
constexpr int64_t least_rows = 96, most_rows = 1024;

int64_t tile_rows(int64_t columns, int64_t pixels) {
  const int64_t rows =
      std::clamp(tile_floats / std::max<int64_t>(columns, 1), least_rows, most_rows);
  return std::min(rows, pixels);
}

/// True if the gathered matrix is the source itself.
bool reads_in_place(const Correlation& c, const Lattice& lattice) {
  return lattice.taps.size() == 1 && lattice.taps[0].dh == 0 && lattice.taps[0].dw == 0 &&
         lattice.source_step_h == 1 && lattice.source_step_w == 1 &&
         lattice.rows == c.source.dim(2) && lattice.columns == c.source.dim(3) &&
         is_float_matrix(c.source);
}

struct TileSize {
  int64_t columns, rows;
  TileSize(const Correlation& c, const Lattice& lattice)
      : columns(static_cast<int64_t>(lattice.taps.size()) * c.in_channels),
        rows(tile_rows(columns, c.source.dim(0) * lattice.pixels())) {}
  size_t gathered() const { return static_cast<size_t>(rows * columns); }
};

size_t correlation_workspace(const Correlation& c) {
  size_t gathered = 0, sums = 0;
  for (const Lattice& lattice : c.lattices) {
    const TileSize size(c, lattice);
    gathered = std::max(gathered, size.gathered());
    sums = std::max(sums, static_cast<size_t>(size.rows * c.out_channels));
  }
  const size_t weights =
      c.most_taps() * static_cast<size_t>(c.groups * c.in_channels * c.out_channels);
  const size_t tile = Workspace::room_for<float>(gathered) + Workspace::room_for<float>(sums);
  return Workspace::room_for<float>(weights) + static_cast<size_t>(compute_threads()) * tile;
}

/// packed[g, t · in_channels + i, o]: the weights of the lattice's taps as one matrix a group.
template <class T>
void pack_weights(const Correlation& c, const Lattice& lattice, float* packed) {
  const int64_t taps = static_cast<int64_t>(lattice.taps.size());
  const T* const w = c.w.as<T>();
  parallel_for(c.groups * taps, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const Tap& tap = lattice.taps[static_cast<size_t>(unit % taps)];
      const T* const from =
          w + unit / taps * c.group_stride + tap.r * c.w.strides[2] + tap.s * c.w.strides[3];
      float* const to = packed + unit * c.in_channels * c.out_channels;
      for (int64_t i = 0; i < c.in_channels; ++i) {
        copy_channels(from + i * c.in_stride, c.out_stride, to + i * c.out_channels,
                      c.out_channels);
      }
    }
  });
}

/// Writes a tile's sums [rows, out_channels] where they belong, through the epilogue.
template <class T>
void store(const Correlation& c, int64_t group, const PixelRun& run, const Matrix& sums) {
  const Lattice& lattice = run.lattice;
  const Strides& strides = c.destination.strides;
  const int64_t first_channel = group * c.out_channels;
  T* const y = c.destination.as<T>();
  run.for_each([&](int64_t m, int64_t n, int64_t i, int64_t j) {
    const float* const row = sums.data + m * sums.row_stride;
    const int64_t offset = n * strides[0] + first_channel * strides[1] +
                           (lattice.first_h + i * lattice.step_h) * strides[2] +
                           (lattice.first_w + j * lattice.step_w) * strides[3];
    if (strides[1] == 1) {
      finish_channels(row, EpilogueAt<T>::from(c.epilogue, offset, first_channel), y + offset,
                      c.out_channels);
      return;
    }
    for (int64_t o = 0; o < c.out_channels; ++o) {
      const int64_t at = offset + o * strides[1];
      finish_element(row[o], EpilogueAt<T>::from(c.epilogue, at, first_channel + o), y + at);
    }
  });
}

template <class T>
void correlate_tile(const Correlation& c, const PixelRun& run, const float* weights,
                    float* gathered, float* sums) {
  const int64_t columns = static_cast<int64_t>(run.lattice.taps.size()) * c.in_channels;
  const bool source_in_place = reads_in_place(c, run.lattice);
  const bool result_in_place =
      is_float_matrix(c.destination) && covers_image(run.lattice, c.destination) && columns > 0;
  for (int64_t group = 0; group < c.groups; ++group) {
    ConstMatrix a{gathered, run.count, columns, columns, 1};
    if (source_in_place) {
      a.row_stride = c.source.dim(1);
      a.data = c.source.as<float>() + run.first * a.row_stride + group * c.in_channels;
    } else {
      gather<T>(c.source, group * c.in_channels, c.in_channels, run, gathered);
    }
    const ConstMatrix w{weights + group * columns * c.out_channels, columns, c.out_channels,
                        c.out_channels, 1};
    Matrix y{sums, run.count, c.out_channels, c.out_channels, 1};
    if (result_in_place) {
      y.row_stride = c.destination.dim(1);
      y.data = c.destination.as<float>() + run.first * y.row_stride + group * c.out_channels;
    }
    if (columns > 0) {
      gemm(a, w, y, false);
    } else {
      std::fill_n(sums, run.count * c.out_channels, 0.0f);
    }
    if (!result_in_place || !c.epilogue.empty()) store<T>(c, group, run, y);
  }
}

template <class T>
void correlate(const Correlation& c, Workspace workspace) {
  float* const weights = workspace.take<float>(
      c.most_taps() * static_cast<size_t>(c.groups * c.in_channels * c.out_channels));
  const int64_t workers = compute_threads();
  const size_t share = workspace.bytes / static_cast<size_t>(workers) / 64 * 64;
  for (const Lattice& lattice : c.lattices) {
    pack_weights<T>(c, lattice, weights);
    const TileSize size(c, lattice);
    const int64_t pixels = c.source.dim(0) * lattice.pixels();
    const int64_t tiles = std::max(ceil_div(pixels, size.rows), std::min(workers, pixels));
    parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
      for (int64_t worker = begin; worker < end; ++worker) {
        Workspace own{static_cast<std::byte*>(workspace.data) + worker * share, share};
        float* const gathered = own.take<float>(size.gathered());
        float* const sums = own.take<float>(static_cast<size_t>(size.rows * c.out_channels));
        for (int64_t t = tiles * worker / workers; t < tiles * (worker + 1) / workers; ++t) {
          const int64_t first = pixels * t / tiles, last = pixels * (t + 1) / tiles;
          correlate_tile<T>(c, {lattice, first, last - first}, weights, gathered, sums);
        }
      }
    });
  }
}

/// True if some position of the filter never meets the image, so that a tile leaves it out. Vendors
/// multiply the padding there.
template <class Op>
bool leaves_taps_out(const Op& op) {
  size_t taps = 0;
  for (const Lattice& lattice : Correlation::from(op).lattices) taps += lattice.taps.size();
  return taps < static_cast<size_t>(op.w.dim(2) * op.w.dim(3));
}

}  // namespace

bool im2col_prefers(const Conv2dForward& op, const Context& /*context*/) {
  return leaves_taps_out(op);
}
bool im2col_prefers(const Conv2dBackwardData& op, const Context& /*context*/) {
  return leaves_taps_out(op);
}

size_t im2col_forward_workspace(const Conv2dForward& op, const Context& /*context*/) {
  return correlation_workspace(Correlation::from(op));
}

void im2col_forward(const Conv2dForward& op, Workspace workspace, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) {
    correlate<typename decltype(tag)::type>(Correlation::from(op), workspace);
  });
}

size_t im2col_backward_data_workspace(const Conv2dBackwardData& op, const Context& /*context*/) {
  return correlation_workspace(Correlation::from(op));
}

void im2col_backward_data(const Conv2dBackwardData& op, Workspace workspace, Stream& /*stream*/) {
  visit_floating(op.dy.dtype, [&](auto tag) {
    correlate<typename decltype(tag)::type>(Correlation::from(op), workspace);
  });
}

}  // namespace burin::cpu
