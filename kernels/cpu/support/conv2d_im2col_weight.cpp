// The weight gradient of conv2d_im2col.h.
#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_im2col.h"
#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/gemm.h"
#include "burin/kernels/cpu/support/pixel_run.h"

namespace burin::cpu {
namespace {

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

}  // namespace

bool im2col_prefers(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  return static_cast<int64_t>(forward_lattice(op).taps.size()) < op.dw.dim(2) * op.dw.dim(3);
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
