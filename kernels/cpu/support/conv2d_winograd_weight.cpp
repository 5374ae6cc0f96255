// The weight gradient of conv2d_winograd.h.
#include "burin/kernels/cpu/support/conv2d_winograd.h"
#include "burin/kernels/cpu/support/winograd_limits.h"
#include "burin/kernels/cpu/support/winograd_tiles.h"

namespace burin::cpu {
namespace {

/// The sums over all tiles, element (frequency, k, c) of a run of filters, and a run of tiles of x
/// and dy.
struct WeightGradient {
  const Conv2dBackwardWeight& op;
  TileGrid grid;
  int64_t C, K, tiles_at_once, filters_at_once;
  int64_t x_tiles;  // of x in memory: all, or a run
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
    // Few tiles go with many filters, whose sums would fill more than the cache. Then the filters
    // come in runs as well, and x, transformed for the first of them, stays.
    const bool x_fits = frequencies * grid.count * padded_row(C) <= cache_floats;
    const int64_t sums_in_cache = std::max<int64_t>(cache_floats / (frequencies * sums_row()), 1);
    const int64_t runs = x_fits ? std::max<int64_t>(ceil_div(K, sums_in_cache), 1) : 1;
    filters_at_once = std::min(round_up(ceil_div(K, runs), lanes), K);
    x_tiles = runs > 1 ? grid.count : tiles_at_once;
  }
  int64_t sums_row() const { return padded_row(C); }
  size_t sums_floats() const {
    return static_cast<size_t>(frequencies * filters_at_once * sums_row());
  }
  size_t memory_floats() const {
    return TransformedTiles::floats(x_tiles, C) +
           TransformedTiles::floats(tiles_at_once, filters_at_once);
  }
};

/// Adds a run of tiles to the sums of a run of filters. The first filters bring x along.
template <class T>
void accumulate_tiles(const WeightGradient& g, const Run& tiles, const Run& filters) {
  const int64_t x_before = g.x_tiles == g.grid.count ? tiles.first : 0;
  const TransformedTiles xs{g.memory + TransformedTiles::floats(x_before, g.C), tiles.count,
                            padded_row(g.C)};
  const TransformedTiles dys{g.memory + TransformedTiles::floats(g.x_tiles, g.C), tiles.count,
                             padded_row(filters.count)};
  parallel_for(tiles.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      TileGrid::Place at = g.grid[tiles.first + i];
      transform_square<tile_outputs, T>(g.op.dy, filters, at, transform_gradient, dys, i);
      if (filters.first > 0) continue;
      at.p -= g.op.params.pad_h;
      at.q -= g.op.params.pad_w;
      transform_square<tile_inputs, T>(g.op.x, {0, g.C}, at, transform_input, xs, i);
    }
  });
  const int64_t panels = ceil_div(g.C, panel_width);
  parallel_for(frequencies * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t f = unit / panels, c = unit % panels * panel_width;
      Ahead nothing;
      multiply_rows({.a = dys.at(f, 0),
                     .a_row = 1,
                     .a_step = dys.row,
                     .b = xs.at(f, 0) + c,
                     .b_step = xs.row,
                     .depth = tiles.count,
                     .y = g.sums + f * filters.count * g.sums_row() + c,
                     .y_row = g.sums_row(),
                     .accumulate = tiles.first > 0},
                    filters.count, nothing);
    }
  });
}

/// dw[filters.first + k, c…] of up to `lanes` channels, from the sums.
template <class T>
void finish_filter(const WeightGradient& g, const Run& filters, int64_t k, int64_t c) {
  Vector m[tile_inputs][tile_inputs];
  for (int f = 0; f < frequencies; ++f) {
    m[f / tile_inputs][f % tile_inputs] = load(g.sums + (f * filters.count + k) * g.sums_row() + c);
  }
  Vector dw[3][3];
  transform_tile(m, dw, transform_filter_gradient);
  const Strides& strides = g.op.dw.strides;
  const int64_t count = std::min<int64_t>(lanes, g.C - c);
  for (int r = 0; r < 3; ++r) {
    for (int s = 0; s < 3; ++s) {
      float values[lanes];
      store(values, dw[r][s]);
      T* const to = g.op.dw.as<T>() + (filters.first + k) * strides[0] + c * strides[1] +
                    r * strides[2] + s * strides[3];
      for (int64_t i = 0; i < count; ++i) to[i * strides[1]] = T(values[i]);
    }
  }
}

void finish_filters(const WeightGradient& g, const Run& filters) {
  visit_floating(g.op.dw.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(filters.count, 4, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        for (int64_t c = 0; c < g.C; c += lanes) finish_filter<T>(g, filters, k, c);
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
  // As over few channels forward: the transforms' rounding shows in a short sum.
  constexpr int64_t fewest = 192;
  Refusal refusal = winograd_limits(op.x, op.dw, op.dy, op.params);
  const int64_t pixels = op.dy.dim(0) * op.dy.dim(2) * op.dy.dim(3);
  if (refusal.empty() && pixels < fewest) {
    refusal = str("sums over ", pixels, " pixels, fewer than ", fewest);
  }
  return refusal;
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
    for (int64_t k = 0; k < g.K; k += g.filters_at_once) {
      const Run filters{k, std::min(g.filters_at_once, g.K - k)};
      for (int64_t first = 0; first < g.grid.count; first += g.tiles_at_once) {
        const int64_t count = std::min(g.tiles_at_once, g.grid.count - first);
        accumulate_tiles<T>(g, {first, count}, filters);
      }
      finish_filters(g, filters);
    }
  });
}

}  // namespace burin::cpu
