// A tile of outputs that lie side by side in x is reduced row by row, so that the inner loop is
// always dense and vectorises:
//
//   kept dimension innermost in x (a bias gradient, [N·H·W, C] → [C])   columns of a tile = outputs
//   reduced dimension innermost (a full sum, nchw)                      one output; its row is cut
//                                                                       into `cuts` columns
//
// Sums are f32 within a block of rows and f64 across blocks, so the error does not grow with the
// length.
#include "burin/kernels/reduce.h"

#include <limits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/loop_nest.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps
constexpr int64_t max_columns = 256;  // f32 accumulators of a tile: 1 KiB, in the first-level cache
constexpr int64_t cuts = 64;          // columns that one output's row is cut into
constexpr int64_t block_rows = 16;    // added up in f32: few, so that rounding cannot pile up

// Real is float, double or Vector.
struct Sum {
  static constexpr float start = 0;
  template <class Real>
  static Real term(Real x) {
    return x;
  }
  template <class Real>
  static Real join(Real a, Real b) {
    return a + b;
  }
};

struct SumOfSquares : Sum {
  template <class Real>
  static Real term(Real x) {
    return x * x;
  }
};

struct Max {
  static constexpr float start = -std::numeric_limits<float>::infinity();
  template <class Real>
  static Real term(Real x) {
    return x;
  }
  template <class Real>
  static Real join(Real a, Real b) {
    return ((a > b) | (a != a)) ? a : b;  // NaN wins on either side
  }
};

/// The loops of a reduction. Operands: x, y.
struct Plan {
  LoopNest<2> kept;     // over the outputs; without the columns
  LoopNest<2> reduced;  // over the elements behind one output
  int64_t columns = 1;  // outputs of the innermost kept loop, or 1 if a reduced loop is innermost
  std::array<int64_t, 2> column_stride{};
  int64_t column_tiles = 1;

  int64_t tiles() const { return kept.numel * column_tiles; }
};

Plan make_plan(const Reduce& op) {
  Strides y_strides = op.y.strides;
  for (int i = 0; i < op.y.rank(); ++i) {
    if (op.y.dim(i) == 1) y_strides[i] = 0;
  }
  const LoopNest<2> nest = make_loop_nest<2>(op.x.shape, {&op.x.strides, &y_strides});
  Plan plan;
  plan.kept.numel = plan.reduced.numel = 1;
  for (int i = 0; i < nest.rank; ++i) {
    const bool is_kept = nest[i].stride[1] != 0;
    if (is_kept && i == nest.rank - 1) {
      plan.columns = nest[i].extent;
      plan.column_stride = nest[i].stride;
      plan.column_tiles = ceil_div(plan.columns, max_columns);
      continue;
    }
    LoopNest<2>& part = is_kept ? plan.kept : plan.reduced;
    part.push_back(nest[i]);
    part.numel *= nest[i].extent;
  }
  if (plan.kept.rank == 0) plan.kept.push_back({1, {0, 0}});
  if (plan.reduced.rank == 0) plan.reduced.push_back({1, {0, 0}});
  return plan;
}

/// total[c] = join(total[c], every row's term): the loop that all reductions spend their time in.
/// Pairs first: the chain of joins that wait for each other is a quarter as long.
template <class R, class T>
void join_dense_rows(const T* x, int64_t rows, int64_t stride, int64_t columns, float* total) {
  for_stretches(0, columns, [&](int64_t c, int64_t count) {
    const auto term = [&](int64_t r) { return R::term(load_channels(x + r * stride + c, count)); };
    Vector joined = load_channels(total + c, count);
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      const Vector low = R::join(term(r), term(r + 1)), high = R::join(term(r + 2), term(r + 3));
      joined = R::join(joined, R::join(low, high));
    }
    for (; r < rows; ++r) joined = R::join(joined, term(r));
    store_channels(total + c, joined, count);
  });
}

template <class R, class T>
void join_rows(const T* x, int64_t rows, int64_t row_stride, int64_t columns, int64_t column_stride,
               float* total) {
  if (column_stride == 1) return join_dense_rows<R>(x, rows, row_stride, columns, total);
  for (int64_t r = 0; r < rows; ++r, x += row_stride) {
    for (int64_t c = 0; c < columns; ++c) {
      total[c] = R::join(total[c], R::term(static_cast<float>(x[c * column_stride])));
    }
  }
}

/// Reduces elements [begin, end) of `reduced` for `columns` outputs side by side.
template <class R, class T>
void reduce_columns(const Plan& plan, const T* x, int64_t columns, int64_t begin, int64_t end,
                    double* total) {
  const int64_t row_stride = plan.reduced.inner().stride[0];
  for_each_row(plan.reduced, begin, end, [&](const std::array<int64_t, 2>& at, int64_t count) {
    for (int64_t r = 0; r < count; r += block_rows) {
      float block[max_columns];
      std::fill_n(block, columns, R::start);
      join_rows<R>(x + at[0] + r * row_stride, std::min(block_rows, count - r), row_stride, columns,
                   plan.column_stride[0], block);
      for (int64_t c = 0; c < columns; ++c) total[c] = R::join(total[c], double(block[c]));
    }
  });
}

/// Reduces elements [begin, end) of `reduced` to one output.
template <class R, class T>
void reduce_to_one(const Plan& plan, const T* x, int64_t begin, int64_t end, double* total) {
  const int64_t stride = plan.reduced.inner().stride[0];
  for_each_row(plan.reduced, begin, end, [&](const std::array<int64_t, 2>& at, int64_t count) {
    for (int64_t i = 0; i < count; i += block_rows * cuts) {
      const T* const from = x + at[0] + i * stride;
      const int64_t length = std::min(block_rows * cuts, count - i);
      const int64_t rows = length / cuts, tail = length % cuts;
      float block[cuts];
      std::fill_n(block, cuts, R::start);
      join_rows<R>(from, rows, cuts * stride, cuts, stride, block);
      join_rows<R>(from + rows * cuts * stride, 1, 0, tail, stride, block);
      for (int64_t half = cuts / 2; half > 0; half /= 2) {
        for (int64_t l = 0; l < half; ++l) block[l] = R::join(block[l], block[l + half]);
      }
      *total = R::join(*total, double(block[0]));
    }
  });
}

template <class R, class T>
class Reduction {
 public:
  Reduction(const Reduce& op, Workspace workspace)
      : plan_(make_plan(op)),
        x_(op.x.as<T>()),
        y_(op.y),
        divisor_(op.kind == ReduceKind::mean ? static_cast<double>(plan_.reduced.numel) : 1.0),
        parts_(workspace.take<double>(static_cast<size_t>(compute_threads() * max_columns))) {}

  /// Threads share the tiles; where there are fewer tiles than threads, the rows of each.
  void run() {
    const int64_t tile_work = plan_.reduced.numel * std::min(plan_.columns, max_columns);
    if (plan_.tiles() >= compute_threads() || tile_work <= grain) {
      parallel_for(plan_.tiles(), ceil_div(grain, std::max<int64_t>(tile_work, 1)),
                   [&](int64_t begin, int64_t end) {
                     double total[max_columns];
                     for_each_tile(begin, end, [&](const Tile& tile) {
                       reduce(tile, 0, plan_.reduced.numel, total);
                       finish(tile, total);
                     });
                   });
    } else {
      for_each_tile(0, plan_.tiles(), [&](const Tile& tile) { reduce_in_parts(tile); });
    }
  }

 private:
  struct Tile {
    int64_t x, y;  // offsets of its first output
    int64_t columns;
  };

  template <class Use>
  void for_each_tile(int64_t begin, int64_t end, const Use& use) const {
    LoopNest<2> nest = plan_.kept;
    nest.push_back({plan_.column_tiles,
                    {max_columns * plan_.column_stride[0], max_columns * plan_.column_stride[1]}});
    int64_t index = begin;
    for_each_row(nest, begin, end, [&](const std::array<int64_t, 2>& at, int64_t count) {
      for (int64_t t = 0; t < count; ++t, ++index) {
        const int64_t column = index % plan_.column_tiles * max_columns;
        use(Tile{at[0] + t * max_columns * plan_.column_stride[0],
                 at[1] + t * max_columns * plan_.column_stride[1],
                 std::min(max_columns, plan_.columns - column)});
      }
    });
  }

  void reduce(const Tile& tile, int64_t begin, int64_t end, double* total) const {
    std::fill_n(total, tile.columns, double(R::start));
    if (plan_.columns == 1) {
      reduce_to_one<R>(plan_, x_ + tile.x, begin, end, total);
    } else {
      reduce_columns<R>(plan_, x_ + tile.x, tile.columns, begin, end, total);
    }
  }

  /// The parts are joined in order, so the result depends on the number of threads only.
  void reduce_in_parts(const Tile& tile) {
    const int64_t length = plan_.reduced.numel;
    const int64_t parts = compute_threads();
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        reduce(tile, length * p / parts, length * (p + 1) / parts, parts_ + p * max_columns);
      }
    });
    for (int64_t p = 1; p < parts; ++p) {
      for (int64_t c = 0; c < tile.columns; ++c) {
        parts_[c] = R::join(parts_[c], parts_[p * max_columns + c]);
      }
    }
    finish(tile, parts_);
  }

  void finish(const Tile& tile, const double* total) const {
    const auto store = [&](auto* y) {
      using Y = std::remove_pointer_t<decltype(y)>;
      for (int64_t c = 0; c < tile.columns; ++c) {
        y[tile.y + c * plan_.column_stride[1]] = Y(static_cast<float>(total[c] / divisor_));
      }
    };
    if (y_.dtype == DType::f32) return store(y_.as<float>());
    store(y_.as<T>());
  }

  Plan plan_;
  const T* x_;
  View y_;
  double divisor_;
  double* parts_;  // [threads, max_columns]
};

Refusal accepts(const Reduce& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  if (op.y.dtype != op.x.dtype && op.y.dtype != DType::f32) {
    return str("y is ", op.y.dtype, ", neither f32 nor the dtype of x, ", op.x.dtype);
  }
  const auto message = [&] { return str("x ", op.x.shape, " does not reduce to y ", op.y.shape); };
  if (op.x.rank() != op.y.rank()) return message();
  for (int i = 0; i < op.x.rank(); ++i) {
    if (op.y.dim(i) != 1 && op.y.dim(i) != op.x.dim(i)) return message();
  }
  return "";
}

size_t workspace_bytes(const Reduce& /*op*/, const Context& /*context*/) {
  return Workspace::room_for<double>(static_cast<size_t>(compute_threads() * max_columns));
}

void run(const Reduce& op, Workspace workspace, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    switch (op.kind) {
      case ReduceKind::sum:
      case ReduceKind::mean:
        return Reduction<Sum, T>(op, workspace).run();
      case ReduceKind::max:
        return Reduction<Max, T>(op, workspace).run();
      case ReduceKind::sum_of_squares:
        return Reduction<SumOfSquares, T>(op, workspace).run();
    }
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_reduce(Registry& registry) {
  registry.add<Reduce>({.name = "cpu",
                        .place = place::before_vendor,
                        .accepts = cpu::accepts,
                        .workspace_bytes = cpu::workspace_bytes,
                        .run = cpu::run});
}

}  // namespace burin
