// The weight gradient of conv2d_winograd.h.
#include "burin/kernels/cpu/support/conv2d_winograd.h"
#include "burin/kernels/cpu/support/winograd_limits.h"
#include "burin/kernels/cpu/support/winograd_tiles.h"

namespace burin::cpu {
namespace {

/// The sums over all tiles, element (frequency, k, c), and a run of tiles of x and dy.
struct WeightGradient {
  const Conv2dBackwardWeight& op;
  TileGrid grid;
  int64_t C, K, tiles_at_once;
  float* sums = nullptr;
  float* memory = nullptr;

  explicit WeightGradient(const Conv2dBackwardWeight& given)
      : op(given),
        grid(given.dy.dim(0), given.dy.dim(2), given.dy.dim(3)),
        C(given.x.dim(1)),
        K(given.dy.dim(1)) {
    // All frequencies of a run of tiles: they pass through the last-level cache once.
    constexpr int64_t cache_floats = 2 * 1024 * 1024;
    const int64_t floats_a_tile = frequencies * (padded_row(C) + padded_row(K));
    tiles_at_once = std::min(std::max<int64_t>(cache_floats / floats_a_tile, 48), grid.count);
  }
  int64_t sums_row() const { return padded_row(C); }
  size_t sums_floats() const { return static_cast<size_t>(frequencies * K * sums_row()); }
  size_t memory_floats() const {
    return TransformedTiles::floats(tiles_at_once, C) + TransformedTiles::floats(tiles_at_once, K);
  }
};

/// Adds the tiles [first, first + count) to the sums.
template <class T>
void accumulate_tiles(const WeightGradient& g, int64_t first, int64_t count) {
  const TransformedTiles xs{g.memory, count, padded_row(g.C)};
  const TransformedTiles dys{g.memory + TransformedTiles::floats(count, g.C), count,
                             padded_row(g.K)};
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      TileGrid::Place at = g.grid[first + i];
      transform_square<tile_outputs, T>(g.op.dy, at, transform_gradient, dys, i);
      at.p -= g.op.params.pad_h;
      at.q -= g.op.params.pad_w;
      transform_square<tile_inputs, T>(g.op.x, at, transform_input, xs, i);
    }
  });
  const int64_t panels = ceil_div(g.C, panel_width);
  parallel_for(frequencies * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t f = unit / panels, c = unit % panels * panel_width;
      multiply_rows({.a = dys.at(f, 0),
                     .a_row = 1,
                     .a_step = dys.row,
                     .b = xs.at(f, 0) + c,
                     .b_step = xs.row,
                     .depth = count,
                     .y = g.sums + f * g.K * g.sums_row() + c,
                     .y_row = g.sums_row(),
                     .accumulate = first > 0},
                    g.K);
    }
  });
}

/// dw[k, c…] of up to `lanes` channels, from the sums.
template <class T>
void finish_filter(const WeightGradient& g, int64_t k, int64_t c) {
  Vector m[tile_inputs][tile_inputs];
  for (int f = 0; f < frequencies; ++f) {
    m[f / tile_inputs][f % tile_inputs] = load(g.sums + (f * g.K + k) * g.sums_row() + c);
  }
  Vector dw[3][3];
  transform_tile(m, dw, transform_filter_gradient);
  const Strides& strides = g.op.dw.strides;
  const int64_t count = std::min<int64_t>(lanes, g.C - c);
  for (int r = 0; r < 3; ++r) {
    for (int s = 0; s < 3; ++s) {
      float values[lanes];
      store(values, dw[r][s]);
      T* const to =
          g.op.dw.as<T>() + k * strides[0] + c * strides[1] + r * strides[2] + s * strides[3];
      for (int64_t i = 0; i < count; ++i) to[i * strides[1]] = T(values[i]);
    }
  }
}

void finish_filters(const WeightGradient& g) {
  visit_floating(g.op.dw.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(g.K, 4, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        for (int64_t c = 0; c < g.C; c += lanes) finish_filter<T>(g, k, c);
      }
    });
  });
}

}  // namespace

Refusal winograd_accepts(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  if (op.x.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", x is ", op.x.dtype);
  if (op.dw.dtype != op.x.dtype && op.dw.dtype != DType::f32) {
    return str("x is ", op.x.dtype, ", dw is ", op.dw.dtype);
  }
  return winograd_limits(op.x, op.dw, op.dy, op.params);
}
bool winograd_prefers(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  return winograd_pays(op.dy, op.dy.dtype, 24);
}
size_t winograd_workspace(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const WeightGradient g(op);
  return Workspace::room_for<float>(g.sums_floats()) +
         Workspace::room_for<float>(g.memory_floats());
}
void winograd_run(const Conv2dBackwardWeight& op, Workspace workspace, Stream& /*stream*/) {
  WeightGradient g(op);
  g.sums = workspace.take<float>(g.sums_floats());
  g.memory = workspace.take<float>(g.memory_floats());
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t first = 0; first < g.grid.count; first += g.tiles_at_once) {
      accumulate_tiles<T>(g, first, std::min(g.tiles_at_once, g.grid.count - first));
    }
  });
  finish_filters(g);
}

}  // namespace burin::cpu
