#include "burin/kernels/cpu/support/conv2d_im2col.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/gemm.h"

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

template <class T>
void copy_channels(const T* from, int64_t stride, float* to, int64_t count) {
  if (stride == 1) {
    for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[c]);
  } else {
    for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[c * stride]);
  }
}

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
bool is_float_matrix(const ConstView& view) {
  return view.dtype == DType::f32 && view.is_dense(Layout::nhwc);
}

bool covers_image(const Lattice& lattice, const ConstView& image) {
  return lattice.step_h == 1 && lattice.step_w == 1 && lattice.rows == image.dim(2) &&
         lattice.columns == image.dim(3);
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
      finish_channels(row + o, EpilogueAt<T>::from(c.epilogue, at, first_channel + o), y + at, 1);
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

/// How dw is cut into blocks, each a product over all pixels: [columns of taps · channels, K].
struct WeightBlocks {
  static constexpr int64_t most_columns = 256;
  int64_t taps_per_block;
  int64_t channels_per_block;

  WeightBlocks(int64_t taps, int64_t channels) {
    const int64_t threads = compute_threads();
    const int64_t fair = std::max<int64_t>(ceil_div(taps * channels, threads), 16);
    const int64_t columns = std::min(most_columns, fair);
    channels_per_block = std::min(channels, columns);
    taps_per_block =
        std::clamp<int64_t>(columns / channels_per_block, 1, std::max<int64_t>(taps, 1));
  }
  int64_t columns() const { return taps_per_block * channels_per_block; }
};

constexpr int64_t weight_tile_rows = 256;
// Sums of so many tiles are added up on their own before they join the total: in one long chain of
// additions the rounding errors of a large batch would show.
constexpr int64_t tiles_per_partial_sum = 16;

/// A block of dw and the scratch memory its thread has for it.
struct WeightBlock {
  int64_t group, first_channel, channels;
  float* gathered;  // [weight_tile_rows, columns]
  float* dys;       // [weight_tile_rows, K / groups]
  float* partial;   // [columns, K / groups]
  float* total;     // the same
};

template <class T>
void accumulate_block(const Conv2dBackwardWeight& op, const Lattice& lattice,
                      const WeightBlock& block) {
  const int64_t group_c = op.dw.dim(1), group_k = op.dw.dim(0) / op.params.groups;
  const int64_t columns = static_cast<int64_t>(lattice.taps.size()) * block.channels;
  const int64_t pixels = op.x.dim(0) * lattice.pixels();
  // dy is read where it lies, through a lattice of its own with a single tap.
  const Lattice outputs{lattice.rows, lattice.columns, 0, 0, 1, 1, 1, 1, {{0, 0, 0, 0}}};
  const bool dy_in_place = is_float_matrix(op.dy);
  std::fill_n(block.total, columns * group_k, 0.0f);
  const Matrix partial{block.partial, group_k, columns, columns, 1};
  int64_t tile = 0;
  for (int64_t first = 0; first < pixels; first += weight_tile_rows, ++tile) {
    const int64_t rows = std::min(weight_tile_rows, pixels - first);
    const PixelRun run{lattice, first, rows};
    gather<T>(op.x, block.group * group_c + block.first_channel, block.channels, run,
              block.gathered);
    ConstMatrix dy{block.dys, rows, group_k, group_k, 1};
    if (dy_in_place) {
      dy.row_stride = op.dy.dim(1);
      dy.data = op.dy.as<float>() + first * dy.row_stride + block.group * group_k;
    } else {
      gather<T>(op.dy, block.group * group_k, group_k, {outputs, first, rows}, block.dys);
    }
    gemm({dy.data, group_k, rows, 1, dy.row_stride}, {block.gathered, rows, columns, columns, 1},
         partial, tile % tiles_per_partial_sum != 0);
    const bool ends = (tile + 1) % tiles_per_partial_sum == 0 || first + rows == pixels;
    for (int64_t i = 0; ends && i < columns * group_k; ++i) block.total[i] += block.partial[i];
  }
}

/// dw[g · K/groups + k, c, r, s] = total[k, tap · channels + c]
void store_block(const Conv2dBackwardWeight& op, const Lattice& lattice, const WeightBlock& block) {
  const int64_t group_k = op.dw.dim(0) / op.params.groups;
  const Strides& strides = op.dw.strides;
  visit_floating(op.dw.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* const dw =
        op.dw.as<T>() + block.group * group_k * strides[0] + block.first_channel * strides[1];
    const float* sums = block.total;
    for (int64_t k = 0; k < group_k; ++k) {
      for (const Tap& tap : lattice.taps) {
        T* const to = dw + k * strides[0] + tap.r * strides[2] + tap.s * strides[3];
        for (int64_t c = 0; c < block.channels; ++c) to[c * strides[1]] = T(sums[c]);
        sums += block.channels;
      }
    }
  });
}

Lattice forward_lattice(const Conv2dBackwardWeight& op) {
  const Conv2dForward forward{
      op.x,
      op.dw,
      BasicView<void*>{nullptr, op.dy.dtype, op.dy.shape, op.dy.strides, {}},
      op.params,
      {}};
  return Correlation::from(forward).lattices.front();
}

/// Filter positions that see nothing but padding get no gradient.
void clear_unseen(const Conv2dBackwardWeight& op, const Lattice& lattice) {
  const int64_t K = op.dw.dim(0), C = op.dw.dim(1), R = op.dw.dim(2), S = op.dw.dim(3);
  if (static_cast<int64_t>(lattice.taps.size()) == R * S) return;
  const Strides& strides = op.dw.strides;
  visit_floating(op.dw.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(K, 1, [&](int64_t begin, int64_t end) {
      for (int64_t filter = begin * R * S; filter < end * R * S; ++filter) {
        T* const to = op.dw.as<T>() + filter / (R * S) * strides[0] + filter / S % R * strides[2] +
                      filter % S * strides[3];
        for (int64_t c = 0; c < C; ++c) to[c * strides[1]] = T(0.0f);
      }
    });
  });
}

size_t weight_block_floats(const Conv2dBackwardWeight& op, const WeightBlocks& blocks) {
  const int64_t group_k = op.dw.dim(0) / op.params.groups;
  return static_cast<size_t>((weight_tile_rows + 2 * group_k) * blocks.columns() +
                             weight_tile_rows * group_k);
}

template <class T>
void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace) {
  const Lattice lattice = forward_lattice(op);
  clear_unseen(op, lattice);
  const int64_t taps = static_cast<int64_t>(lattice.taps.size()), channels = op.dw.dim(1);
  const int64_t group_k = op.dw.dim(0) / op.params.groups;
  const WeightBlocks blocks(taps, channels);
  const int64_t tap_blocks = ceil_div(taps, blocks.taps_per_block);
  const int64_t channel_blocks = ceil_div(channels, blocks.channels_per_block);
  const int64_t units = op.params.groups * tap_blocks * channel_blocks;
  const int64_t workers = compute_threads();
  const int64_t share = static_cast<int64_t>(weight_block_floats(op, blocks));
  float* const scratch = workspace.take<float>(static_cast<size_t>(workers * share));
  parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      WeightBlock block{};
      block.gathered = scratch + worker * share;
      block.dys = block.gathered + weight_tile_rows * blocks.columns();
      block.partial = block.dys + weight_tile_rows * group_k;
      block.total = block.partial + blocks.columns() * group_k;
      for (int64_t unit = units * worker / workers; unit < units * (worker + 1) / workers; ++unit) {
        block.group = unit / (tap_blocks * channel_blocks);
        block.first_channel = unit % channel_blocks * blocks.channels_per_block;
        block.channels = std::min(blocks.channels_per_block, channels - block.first_channel);
        Lattice part = lattice;
        const auto first =
            lattice.taps.begin() + unit / channel_blocks % tap_blocks * blocks.taps_per_block;
        part.taps.assign(
            first, first + std::min<int64_t>(blocks.taps_per_block, lattice.taps.end() - first));
        accumulate_block<T>(op, part, block);
        store_block(op, part, block);
      }
    }
  });
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
bool im2col_prefers(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  return static_cast<int64_t>(forward_lattice(op).taps.size()) < op.dw.dim(2) * op.dw.dim(3);
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

size_t im2col_backward_weight_workspace(const Conv2dBackwardWeight& op,
                                        const Context& /*context*/) {
  const WeightBlocks blocks(static_cast<int64_t>(forward_lattice(op).taps.size()), op.dw.dim(1));
  const size_t workers = static_cast<size_t>(compute_threads());
  return Workspace::room_for<float>(workers * weight_block_floats(op, blocks));
}

void im2col_backward_weight(const Conv2dBackwardWeight& op, Workspace workspace,
                            Stream& /*stream*/) {
  visit_floating(op.x.dtype,
                 [&](auto tag) { backward_weight<typename decltype(tag)::type>(op, workspace); });
}

}  // namespace burin::cpu
