#include "burin/kernels/cpu/support/conv2d_winograd.h"

#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/kept_filters.h"
#include "burin/kernels/cpu/support/winograd_limits.h"
#include "burin/kernels/cpu/support/winograd_tiles.h"

namespace burin::cpu {
namespace {

/// Forward, or backward_data seen as a forward pass from dy to dx.
struct Correlation {
  std::string_view direction;
  ConstView source, w;
  View destination;
  Epilogue epilogue;
  int64_t pad_h, pad_w;
  int64_t in_stride, out_stride;  // of the channels of source and destination in w
  bool turned;                    // filter position (r, s) is w[2 − r, 2 − s]

  static Correlation from(const Conv2dForward& op) {
    return {op.name,
            op.x,
            op.w,
            op.y,
            op.epilogue,
            op.params.pad_h,
            op.params.pad_w,
            op.w.strides[1],
            op.w.strides[0],
            false};
  }
  static Correlation from(const Conv2dBackwardData& op) {
    return {op.name,
            op.dy,
            op.w,
            op.dx,
            {.residual = op.residual},
            2 - op.params.pad_h,
            2 - op.params.pad_w,
            op.w.strides[0],
            op.w.strides[1],
            true};
  }
  int64_t in_channels() const { return source.dim(1); }
  int64_t out_channels() const { return destination.dim(1); }
  TileGrid tiles() const { return {destination.dim(0), destination.dim(2), destination.dim(3)}; }
};

// -- filters --------------------------------------------------------------------------------------

/// The transformed filters of all outputs, or of some panels of them: panel p of a frequency is
/// [in_channels, panel_width].
struct Filters {
  int64_t first_panel, panels, in_channels;

  explicit Filters(const Correlation& c)
      : first_panel(0),
        panels(ceil_div(c.out_channels(), panel_width)),
        in_channels(c.in_channels()) {}
  Filters part(int64_t first, int64_t most) const {
    Filters some = *this;
    some.first_panel = first;
    some.panels = std::min(most, panels - first);
    return some;
  }
  size_t floats() const {
    return static_cast<size_t>(frequencies * panels * in_channels * panel_width);
  }
  int64_t offset(int64_t frequency, int64_t panel, int64_t channel) const {
    return ((frequency * panels + panel) * in_channels + channel) * panel_width;
  }
};

/// Transforms the filters of `lanes` outputs from `first` on, of one input channel.
template <class T>
void transform_lanes(const Correlation& c, int64_t channel, int64_t first,
                     Vector (&u)[tile_inputs][tile_inputs]) {
  const int64_t count = std::clamp<int64_t>(c.out_channels() - first, 0, lanes);
  const T* const base = c.w.as<T>() + channel * c.in_stride + first * c.out_stride;
  Vector w[3][3];
  for (int r = 0; r < 3; ++r) {
    for (int s = 0; s < 3; ++s) {
      const int64_t at = r * c.w.strides[2] + s * c.w.strides[3];
      const bool dense = c.out_stride == 1 && count == lanes;
      Vector& to = c.turned ? w[2 - r][2 - s] : w[r][s];
      to = dense ? load_widened(base + at) : load_elements(base + at, c.out_stride, count);
    }
  }
  transform_tile(w, u, transform_filter);
}

template <class T>
void transform_filters(const Correlation& c, const Filters& filters, float* to) {
  constexpr int64_t channels_at_once = 16;
  const int64_t runs = ceil_div(filters.in_channels, channels_at_once);
  parallel_for(filters.panels * runs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t panel = unit / runs, first = unit % runs * channels_at_once;
      const int64_t last = std::min(first + channels_at_once, filters.in_channels);
      for (int64_t channel = first; channel < last; ++channel) {
        for (int half = 0; half < 2; ++half) {
          Vector u[tile_inputs][tile_inputs];
          const int64_t output = (filters.first_panel + panel) * panel_width + half * lanes;
          transform_lanes<T>(c, channel, output, u);
          for (int f = 0; f < frequencies; ++f) {
            store(to + filters.offset(f, panel, channel) + half * lanes,
                  u[f / tile_inputs][f % tile_inputs]);
          }
        }
      }
    }
  });
}

// -- forward and backward_data --------------------------------------------------------------------

/// A run of tiles on its way: transformed inputs, and their products with the filters.
struct Block {
  int64_t first, count;
  TransformedTiles inputs, products;

  static size_t floats(const Correlation& c, int64_t tiles) {
    return TransformedTiles::floats(tiles, c.in_channels()) +
           TransformedTiles::floats(tiles, c.out_channels());
  }
  Block(const Correlation& c, float* memory, int64_t first_tile, int64_t tiles)
      : first(first_tile),
        count(tiles),
        inputs{memory, tiles, padded_row(c.in_channels())},
        products{memory + TransformedTiles::floats(tiles, c.in_channels()), tiles,
                 padded_row(c.out_channels())} {}
};

template <class T>
void transform_inputs(const Correlation& c, const Block& block, int64_t begin, int64_t end) {
  const TileGrid grid = c.tiles();
  for (int64_t i = begin; i < end; ++i) {
    TileGrid::Place at = grid[block.first + i];
    at.p -= c.pad_h;
    at.q -= c.pad_w;
    transform_square<tile_inputs, T>(c.source, {0, c.in_channels()}, at, transform_input,
                                     block.inputs, i);
  }
}

/// Units of work: a panel of one frequency.
void multiply(const Filters& filters, const float* weights, const Block& block, int64_t begin,
              int64_t end) {
  // A panel of so many channels stays in the first-level cache, and a sum begins anew before its
  // rounding errors grow: over 256 channels in one chain, images of 3×3 missed their tolerance.
  constexpr int64_t depth = 128;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t f = unit / filters.panels, panel = unit % filters.panels;
    for (int64_t c = 0; c < filters.in_channels; c += depth) {
      const int64_t count = std::min(depth, filters.in_channels - c);
      const float* const b = weights + filters.offset(f, panel, c);
      const float* const next = b + count * panel_width;
      Ahead ahead{next, next + count * panel_width};
      multiply_rows({.a = block.inputs.at(f, 0) + c,
                     .a_row = block.inputs.row,
                     .a_step = 1,
                     .b = b,
                     .b_step = panel_width,
                     .depth = count,
                     .y = block.products.at(f, 0) + (filters.first_panel + panel) * panel_width,
                     .y_row = block.products.row,
                     .accumulate = c > 0},
                    block.count, ahead);
    }
  }
}

/// Transforms `channels` channels of a tile's products back and writes them through the epilogue.
template <class T>
void finish_tile(const Correlation& c, const Block& block, int64_t tile, int64_t first_channel,
                 int64_t channels) {
  constexpr int64_t room = 64;
  float outputs[tile_outputs * tile_outputs][room];
  for (int64_t k = 0; k < channels; k += lanes) {
    Vector m[tile_inputs][tile_inputs];
#pragma GCC unroll 36
    for (int f = 0; f < frequencies; ++f) {
      m[f / tile_inputs][f % tile_inputs] = load(block.products.at(f, tile) + first_channel + k);
    }
    Vector y[tile_outputs][tile_outputs];
    transform_tile(m, y, transform_output);
#pragma GCC unroll 16
    for (int i = 0; i < tile_outputs * tile_outputs; ++i) {
      store(&outputs[i][k], y[i / tile_outputs][i % tile_outputs]);
    }
  }
  const TileGrid::Place at = c.tiles()[block.first + tile];
  const int64_t K = c.out_channels(), P = c.destination.dim(2), Q = c.destination.dim(3);
  for (int64_t i = 0; i < tile_outputs * tile_outputs; ++i) {
    const int64_t p = at.p + i / tile_outputs, q = at.q + i % tile_outputs;
    if (p >= P || q >= Q) continue;
    const int64_t offset = ((at.n * P + p) * Q + q) * K + first_channel;
    finish_channels(outputs[i], EpilogueAt<T>::from(c.epilogue, offset, first_channel),
                    c.destination.as<T>() + offset, channels);
  }
}

/// The outputs of `filters` in the tiles [begin, end).
template <class T>
void finish(const Correlation& c, const Filters& filters, const Block& block, int64_t begin,
            int64_t end) {
  constexpr int64_t at_once = 64;
  const int64_t first = filters.first_panel * panel_width;
  const int64_t last = std::min(first + filters.panels * panel_width, c.out_channels());
  for (int64_t tile = begin; tile < end; ++tile) {
    for (int64_t k = first; k < last; k += at_once) {
      finish_tile<T>(c, block, tile, k, std::min(at_once, last - k));
    }
  }
}

/// How the tiles are cut. Many tiles: each thread takes blocks of its own through all three steps
/// while they stay in its cache. Few, or filters larger than caches: one block, whose steps the
/// threads share, so that the filters are read once; those that are transformed for it alone are so
/// a few panels at a time, which stay in the last-level cache until they are used.
struct Schedule {
  int64_t tiles_per_block, workers;
  int64_t panels_at_once;
  bool shared;

  explicit Schedule(const Correlation& c) : workers(compute_threads()) {
    constexpr int64_t cache_floats = 128 * 1024, large_filters = 4 * 1024 * 1024;
    constexpr int64_t fewest = 24, most = 96;
    const int64_t floats_a_tile =
        frequencies * (padded_row(c.in_channels()) + padded_row(c.out_channels()));
    const int64_t count = c.tiles().count;
    const Filters all(c);
    shared = count < workers * most_rows || all.floats() > large_filters;
    if (shared) {
      tiles_per_block = std::min(count, most_shared(floats_a_tile));
    } else {
      tiles_per_block = std::clamp(cache_floats / floats_a_tile, fewest, most);
      // As many blocks for each thread, and all of about the same size.
      const int64_t blocks = workers * ceil_div(count, workers * tiles_per_block);
      tiles_per_block = ceil_div(count, blocks);
    }
    constexpr int64_t filter_floats = 2 * 1024 * 1024;
    const int64_t in_cache =
        std::max<int64_t>(filter_floats / (frequencies * panel_width * all.in_channels), 1);
    panels_at_once = all.panels;
    if (shared && tiles_per_block == count && in_cache < all.panels) {
      panels_at_once = ceil_div(all.panels, ceil_div(all.panels, in_cache));
    }
  }
  /// Tiles of a shared block: their transforms should not fill more than 32 MB.
  static int64_t most_shared(int64_t floats_a_tile) {
    return std::max<int64_t>(8 * 1024 * 1024 / floats_a_tile, 1);
  }
  int64_t blocks_in_memory() const { return shared ? 1 : workers; }
};

size_t correlation_workspace(const Correlation& c, const Context& context) {
  const Schedule schedule(c);
  const bool kept = context.stream.state<KeptFilters>().find(c.w, c.direction) != nullptr;
  const Filters at_once = Filters(c).part(0, schedule.panels_at_once);
  const size_t filters = kept ? 0 : Workspace::room_for<float>(at_once.floats());
  return filters + static_cast<size_t>(schedule.blocks_in_memory()) *
                       Workspace::room_for<float>(Block::floats(c, schedule.tiles_per_block));
}

/// All filters, kept from call to call, or null.
template <class T>
const float* kept_filters(const Correlation& c, Stream& stream) {
  KeptFilters& weights = stream.state<KeptFilters>();
  if (const float* const kept = weights.find(c.w, c.direction)) return kept;
  const Filters filters(c);
  float* const kept = weights.keep(c.w, c.direction, filters.floats());
  if (kept != nullptr) transform_filters<T>(c, filters, kept);
  return kept;
}

/// `filters` are all that are needed, or null: then they are transformed into `room` as they come.
template <class T>
void correlate_shared(const Correlation& c, const Schedule& schedule, const float* filters,
                      float* room, float* memory) {
  const Filters all(c);
  const int64_t panels_at_once = filters != nullptr ? all.panels : schedule.panels_at_once;
  const int64_t tiles = c.tiles().count;
  for (int64_t first = 0; first < tiles; first += schedule.tiles_per_block) {
    const Block block(c, memory, first, std::min(schedule.tiles_per_block, tiles - first));
    parallel_for(block.count, 1,
                 [&](int64_t begin, int64_t end) { transform_inputs<T>(c, block, begin, end); });
    for (int64_t panel = 0; panel < all.panels; panel += panels_at_once) {
      const Filters some = all.part(panel, panels_at_once);
      if (filters == nullptr) transform_filters<T>(c, some, room);
      const float* const weights = filters != nullptr ? filters : room;
      parallel_for(frequencies * some.panels, 1,
                   [&](int64_t begin, int64_t end) { multiply(some, weights, block, begin, end); });
      parallel_for(block.count, 1,
                   [&](int64_t begin, int64_t end) { finish<T>(c, some, block, begin, end); });
    }
  }
}

template <class T>
void correlate_apart(const Correlation& c, const Schedule& schedule, const float* weights,
                     float* memory) {
  const Filters filters(c);
  const int64_t tiles = c.tiles().count;
  const int64_t blocks = ceil_div(tiles, schedule.tiles_per_block);
  const int64_t share = static_cast<int64_t>(Block::floats(c, schedule.tiles_per_block));
  parallel_for(schedule.workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t b = blocks * worker / schedule.workers;
           b < blocks * (worker + 1) / schedule.workers; ++b) {
        const int64_t first = b * schedule.tiles_per_block;
        const Block block(c, memory + worker * share, first,
                          std::min(schedule.tiles_per_block, tiles - first));
        transform_inputs<T>(c, block, 0, block.count);
        multiply(filters, weights, block, 0, frequencies * filters.panels);
        finish<T>(c, filters, block, 0, block.count);
      }
    }
  });
}

void correlate(const Correlation& c, Workspace workspace, Stream& stream) {
  visit_floating(c.source.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Schedule schedule(c);
    const Filters all(c);
    const float* filters = kept_filters<T>(c, stream);
    float* room = nullptr;
    if (filters == nullptr) {
      room = workspace.take<float>(all.part(0, schedule.panels_at_once).floats());
      if (schedule.panels_at_once == all.panels) {
        transform_filters<T>(c, all, room);
        filters = room;
      }
    }
    const size_t floats = static_cast<size_t>(schedule.blocks_in_memory()) *
                          Block::floats(c, schedule.tiles_per_block);
    float* const memory = workspace.take<float>(floats);
    if (schedule.shared) {
      correlate_shared<T>(c, schedule, filters, room, memory);
    } else {
      correlate_apart<T>(c, schedule, filters, memory);
    }
  });
}

}  // namespace

Refusal winograd_accepts(const Conv2dForward& op, const Context& /*context*/) {
  if (op.w.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", w is ", op.w.dtype);
  if (op.y.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", y is ", op.y.dtype);
  return winograd_limits_over_channels(op.x, op.w, op.y, op.params);
}
bool winograd_prefers(const Conv2dForward& op, const Context& /*context*/) {
  return winograd_pays(op.y, op.y.dtype, 12);
}
size_t winograd_workspace(const Conv2dForward& op, const Context& context) {
  return correlation_workspace(Correlation::from(op), context);
}
void winograd_run(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  correlate(Correlation::from(op), workspace, stream);
}

Refusal winograd_accepts(const Conv2dBackwardData& op, const Context& /*context*/) {
  if (op.w.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", w is ", op.w.dtype);
  if (op.dx.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", dx is ", op.dx.dtype);
  return winograd_limits_over_channels(op.dy, op.w, op.dx, op.params);
}
bool winograd_prefers(const Conv2dBackwardData& op, const Context& /*context*/) {
  return winograd_pays(op.dx, op.dx.dtype, 12);
}
size_t winograd_workspace(const Conv2dBackwardData& op, const Context& context) {
  return correlation_workspace(Correlation::from(op), context);
}
void winograd_run(const Conv2dBackwardData& op, Workspace workspace, Stream& stream) {
  correlate(Correlation::from(op), workspace, stream);
}

}  // namespace burin::cpu
