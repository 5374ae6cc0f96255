#include "burin/kernels/copy.h"

#include <cstring>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/copy_elements.h"
#include "burin/kernels/cpu/support/loop_nest.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/cpu/support/transpose.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

/// An element in a lane of a vector: what is only moved, as bits.
template <class T>
constexpr bool fits_a_lane =
    !std::is_integral_v<T> || std::is_same_v<T, uint32_t> || std::is_same_v<T, uint16_t>;

template <class T>
Vector load_lanes(const T* from) {
  if constexpr (std::is_same_v<T, uint32_t>) {
    return load(reinterpret_cast<const float*>(from));
  } else if constexpr (std::is_same_v<T, uint16_t>) {
    return load_widened(reinterpret_cast<const bfloat16*>(from));
  } else {
    return load_widened(from);
  }
}

template <class T>
void store_lanes(T* to, const Vector& value) {
  if constexpr (std::is_same_v<T, uint32_t>) {
    store(reinterpret_cast<float*>(to), value);
  } else if constexpr (std::is_same_v<T, uint16_t>) {
    store_upper_halves(to, reinterpret_cast<Bits>(value));
  } else {
    store_narrowed(to, value);
  }
}

template <class To, class From>
void convert_neighbours(const From* x, To* y, int64_t count) {
  if constexpr (fits_a_lane<To> && fits_a_lane<From>) {
    for_stretches(0, count, [&](int64_t first, int64_t length) {
      store_channels(y + first, load_channels(x + first, length), length);
    });
  } else {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = convert<To>(x[i]);
  }
}

/// One row whose elements lie side by side in y.
template <class To, class From>
void copy_row(const From* x, int64_t x_stride, To* y, int64_t count) {
  if (x_stride == 0) {
    std::fill_n(y, count, convert<To>(*x));
  } else if (x_stride != 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = convert<To>(x[i * x_stride]);
  } else if constexpr (std::is_same_v<To, From>) {
    std::memcpy(y, x, static_cast<size_t>(count) * sizeof(To));
  } else {
    convert_neighbours(x, y, count);
  }
}

template <class To, class From>
void copy_by_rows(const LoopNest<2>& nest, const From* x, To* y) {
  const auto [y_stride, x_stride] = nest.inner().stride;
  parallel_for(
      nest.numel, grain, [&, y_step = y_stride, x_step = x_stride](int64_t begin, int64_t end) {
        for_each_row(nest, begin, end, [&](const std::array<int64_t, 2>& offset, int64_t count) {
          To* const to = y + offset[0];
          const From* const from = x + offset[1];
          if (y_step == 1) return copy_row(from, x_step, to, count);
          for (int64_t i = 0; i < count; ++i) to[i * y_step] = convert<To>(from[i * x_step]);
        });
      });
}

/// The loop along which x is dense, if it is not the one along which y is; else −1. Between such
/// operands (nhwc and nchw, a permutation) one of the two is always met across its grain.
int transposed_loop(const LoopNest<2>& nest) {
  const auto [y_stride, x_stride] = nest.inner().stride;
  if (y_stride != 1 || x_stride == 1 || x_stride == 0) return -1;
  for (int i = 0; i < nest.rank - 1; ++i) {
    if (nest[i].stride[1] == 1) return i;
  }
  return -1;
}

template <class To, class From>
void copy_square(const From* x, int64_t x_stride, To* y, int64_t y_stride) {
  Vector square[lanes];
  for (int c = 0; c < lanes; ++c) square[c] = load_lanes(x + c * x_stride);
  transpose(square);
  for (int r = 0; r < lanes; ++r) store_lanes(y + r * y_stride, square[r]);
}

/// `lanes` elements in a column of y that is too narrow for squares: converted together.
template <class To, class From>
void scatter_column(const From* x, To* y, int64_t y_stride) {
  To column[lanes];
  store_lanes(column, load_lanes(x));
  for (int r = 0; r < lanes; ++r) y[r * y_stride] = column[r];
}

template <class To, class From>
void gather_row(const From* x, int64_t x_stride, To* y) {
  From row[lanes];
  for (int c = 0; c < lanes; ++c) row[c] = x[c * x_stride];
  store_lanes(y, load_lanes(row));
}

/// y[r, c] = x[c, r]
template <class To, class From>
void copy_tile(const From* x, int64_t x_stride, To* y, int64_t y_stride, int64_t rows,
               int64_t columns) {
  int64_t whole_rows = 0, whole_columns = 0;
  if constexpr (fits_a_lane<To> && fits_a_lane<From>) {
    whole_rows = rows / lanes * lanes, whole_columns = columns / lanes * lanes;
    for (int64_t r = 0; r < whole_rows; r += lanes) {
      for (int64_t c = 0; c < whole_columns; c += lanes) {
        copy_square(x + c * x_stride + r, x_stride, y + r * y_stride + c, y_stride);
      }
      for (int64_t c = whole_columns; c < columns; ++c) {
        scatter_column(x + c * x_stride + r, y + r * y_stride + c, y_stride);
      }
    }
    for (int64_t r = whole_rows; r < rows; ++r) {
      for (int64_t c = 0; c < whole_columns; c += lanes) {
        gather_row(x + c * x_stride + r, x_stride, y + r * y_stride + c);
      }
    }
  }
  for (int64_t r = whole_rows; r < rows; ++r) {
    for (int64_t c = whole_columns; c < columns; ++c) {
      y[r * y_stride + c] = convert<To>(x[c * x_stride + r]);
    }
  }
}

/// Copies by tiles, so that every cache line of either side is fetched once. A tile is a line wide
/// and long the other way: long runs are what hardware prefetches.
template <class To, class From>
void copy_by_tiles(const LoopNest<2>& nest, int across, const From* x, To* y) {
  constexpr int64_t narrow = 64 / static_cast<int64_t>(std::min(sizeof(To), sizeof(From)));
  constexpr int64_t length = 256;
  const auto& columns = nest.inner();                          // dense in y
  const auto& rows = nest.loops[static_cast<size_t>(across)];  // dense in x
  const bool long_rows = rows.extent > columns.extent;
  const int64_t tile_rows = long_rows ? length : narrow;
  const int64_t tile_columns = long_rows ? narrow : length;
  const int64_t row_tiles = ceil_div(rows.extent, tile_rows);
  const int64_t column_tiles = ceil_div(columns.extent, tile_columns);

  LoopNest<2> tiles;  // the other loops, and within them the tiles
  for (int i = 0; i < nest.rank - 1; ++i) {
    if (i != across) tiles.push_back(nest[i]);
  }
  tiles.push_back({row_tiles, {tile_rows * rows.stride[0], tile_rows}});
  tiles.push_back({column_tiles, {tile_columns, tile_columns * columns.stride[1]}});
  tiles.numel = nest.numel / (rows.extent * columns.extent) * row_tiles * column_tiles;

  // A position in the nest of tiles also tells which tile is cut short.
  parallel_for(tiles.numel, ceil_div(grain, narrow * length), [&](int64_t begin, int64_t end) {
    int64_t index = begin;
    for_each_row(tiles, begin, end, [&](const std::array<int64_t, 2>& offset, int64_t count) {
      for (int64_t t = 0; t < count; ++t, ++index) {
        const int64_t column = index % column_tiles * tile_columns;
        const int64_t row = index / column_tiles % row_tiles * tile_rows;
        copy_tile(x + offset[1] + t * tile_columns * columns.stride[1], columns.stride[1],
                  y + offset[0] + t * tile_columns, rows.stride[0],
                  std::min(tile_rows, rows.extent - row),
                  std::min(tile_columns, columns.extent - column));
      }
    });
  });
}

/// Casts of integers are short and rare, and go by rows however they lie.
template <class T>
constexpr bool is_integer =
    std::is_same_v<T, int64_t> || std::is_same_v<T, int32_t> || std::is_same_v<T, uint8_t>;

template <class To, class From>
void copy_typed(const LoopNest<2>& nest, const From* x, To* y) {
  if constexpr (std::is_same_v<To, From> || (!is_integer<To> && !is_integer<From>)) {
    const int across = transposed_loop(nest);
    if (across >= 0) return copy_by_tiles(nest, across, x, y);
  }
  copy_by_rows(nest, x, y);
}

/// Without a cast only the size matters.
void copy_bits(const LoopNest<2>& nest, const ConstView& x, const View& y) {
  switch (size_of(x.dtype)) {
    case 1:
      return copy_typed(nest, x.as<uint8_t>(), y.as<uint8_t>());
    case 2:
      return copy_typed(nest, x.as<uint16_t>(), y.as<uint16_t>());
    case 4:
      return copy_typed(nest, x.as<uint32_t>(), y.as<uint32_t>());
    default:
      return copy_typed(nest, x.as<uint64_t>(), y.as<uint64_t>());
  }
}

Refusal accepts(const Copy& op, const Context& /*context*/) {
  return op.x.shape == op.y.shape ? "" : str("x ", op.x.shape, " and y ", op.y.shape, " differ");
}

void run(const Copy& op, Workspace /*workspace*/, Stream& /*stream*/) {
  copy_elements(op.x, op.y);
}

}  // namespace

void copy_elements(const ConstView& x, const View& y) {
  const LoopNest<2> nest = make_loop_nest<2>(y.shape, {&y.strides, &x.strides});
  if (nest.numel == 0) return;
  if (x.dtype == y.dtype) return copy_bits(nest, x, y);
  visit_dtype(y.dtype, [&](auto to) {
    visit_dtype(x.dtype, [&](auto from) {
      using To = typename decltype(to)::type;
      using From = typename decltype(from)::type;
      if constexpr (!std::is_same_v<To, From>) copy_typed(nest, x.as<From>(), y.as<To>());
    });
  });
}

}  // namespace burin::cpu

namespace burin {

void register_cpu_copy(Registry& registry) {
  registry.add<Copy>(
      {.name = "cpu", .place = place::before_vendor, .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
