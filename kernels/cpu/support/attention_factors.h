#pragma once

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/view.h"
#include "burin/kernels/cpu/support/micro_gemm_pairs.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/cpu/support/transpose.h"
#include "burin/kernels/op.h"

namespace burin::cpu {
namespace {

/// What the products of attention multiply: floats, or pairs of bf16 that are neighbours along the
/// sum. A word is one step of a sum.
struct Floats {
  using Word = float;
  static constexpr int64_t members = 1;
};
struct Pairs {
  using Word = BfloatPair;
  static constexpr int64_t members = 2;
};

/// Some rows of D neighbours: those of one head of an operand [N, H, tokens, D], or of a matrix.
template <class T>
struct Rows {
  T* data;
  int64_t stride, count, D;

  T* row(int64_t i) const { return data + i * stride; }
  /// `rows` of them from `first` on, or as many as there are.
  Rows part(int64_t first, int64_t rows) const {
    return {row(first), stride, std::clamp<int64_t>(count - first, 0, rows), D};
  }
};

template <class T, class View>
Rows<T> rows_of_head(const View& view, int64_t head) {
  const int64_t H = view.dim(1);
  const int64_t offset = head / H * view.strides[0] + head % H * view.strides[1];
  return {view.template as<std::remove_const_t<T>>() + offset, view.strides[2], view.dim(2),
          view.dim(3)};
}

/// Asks for rows that are read soon. Those of a packed [N, T, 3, H, D] are pages apart, which the
/// processor does not foresee.
template <class T>
void fetch(const Rows<T>& rows) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const auto* const row = reinterpret_cast<const char*>(rows.row(i));
    for (size_t at = 0; at < static_cast<size_t>(rows.D) * sizeof(T); at += 64) {
      __builtin_prefetch(row + at);
    }
  }
}

/// Rows and columns as they take part in a product: [rows] left of it, panels of columns right.
template <class Word>
struct LeftFactor {
  const Word* data;
  int64_t rows, row_stride, step_stride;
};
template <class Word>
struct RightFactor {
  const Word* data;
  int64_t panels, panel_stride, step_stride;
  int64_t steps;
};

/// y (+)= left · right, [rows, panels · panel_width] in rows of that length.
template <class Word>
void multiply(const LeftFactor<Word>& left, const RightFactor<Word>& right, float* y,
              bool accumulate = false) {
  const int64_t y_row = right.panels * panel_width;
  for (int64_t i = 0; i < right.panels; ++i) {
    multiply_rows({.a = left.data,
                   .a_row = left.row_stride,
                   .a_step = left.step_stride,
                   .b = right.data + i * right.panel_stride,
                   .b_step = right.step_stride,
                   .depth = right.steps,
                   .y = y + i * panel_width,
                   .y_row = y_row,
                   .accumulate = accumulate},
                  left.rows);
  }
}

inline int64_t panels_of(int64_t columns) {
  return ceil_div(columns, panel_width);
}
/// `columns` in whole panels.
inline int64_t padded(int64_t columns) {
  return panels_of(columns) * panel_width;
}
template <class Factors>
int64_t steps_of(int64_t members) {
  return ceil_div(members, Factors::members);
}

/// `count` ≤ lanes elements as bits; zeros behind them.
template <class Some>
Some load_some(const void* from, int64_t count, size_t element) {
  Some bits{};
  if (count == lanes) {
    std::memcpy(&bits, from, sizeof bits);
  } else {
    std::memcpy(&bits, from, static_cast<size_t>(count) * element);
  }
  return bits;
}

/// `count` ≤ lanes words of a row from word `first` on, as they are or widened; zeros behind them.
template <class Factors, class T>
Vector load_words(const T* row, int64_t first, int64_t count) {
  if constexpr (Factors::members == 1) {
    return load_channels(row + first, count);
  } else {
    return load_some<Vector>(row + 2 * first, count, sizeof(BfloatPair));
  }
}

/// Rows that a product sums along: each becomes a column. Of pairs, D must be even.
template <class Factors, class T>
RightFactor<typename Factors::Word> pack_as_columns(const Rows<T>& rows,
                                                    typename Factors::Word* to) {
  const int64_t steps = steps_of<Factors>(rows.D), panels = panels_of(rows.count);
  for (int64_t i = 0; i < panels * panel_width; i += lanes) {
    auto* const panel = to + i / panel_width * steps * panel_width + i % panel_width;
    for_stretches(0, steps, [&](int64_t first, int64_t count) {
      Vector square[lanes];
      for (int r = 0; r < lanes; ++r) {
        const bool inside = i + r < rows.count;
        square[r] = inside ? load_words<Factors>(rows.row(i + r), first, count) : Vector{};
      }
      transpose(square);
      for (int64_t s = 0; s < count; ++s) {
        std::memcpy(panel + (first + s) * panel_width, &square[s], sizeof square[s]);
      }
    });
  }
  return {to, panels, steps * panel_width, panel_width, steps};
}

/// Words of a step, one a column: the elements of row `i`, or of rows 2i and 2i + 1 side by side.
template <class T>
Vector load_step(const Rows<T>& rows, int64_t step, int64_t first, int64_t count, Floats /*of*/) {
  return load_channels(rows.row(step) + first, count);
}
template <size_t... i>
Vector interleaved(const Halves& a, const Halves& b, std::index_sequence<i...> /*2 · lanes*/) {
  return reinterpret_cast<Vector>(
      __builtin_shufflevector(a, b, (static_cast<int>(i / 2) + (i % 2 == 0 ? 0 : lanes))...));
}
template <class T>
Vector load_step(const Rows<T>& rows, int64_t step, int64_t first, int64_t count, Pairs /*of*/) {
  const bool has_second = 2 * step + 1 < rows.count;
  const auto upper = load_some<Halves>(rows.row(2 * step) + first, count, sizeof(T));
  const auto lower =
      has_second ? load_some<Halves>(rows.row(2 * step + 1) + first, count, sizeof(T)) : Halves{};
  return interleaved(upper, lower, std::make_index_sequence<2 * lanes>());
}

/// Rows that a product sums over, with zeros behind them.
template <class Factors, class T>
RightFactor<typename Factors::Word> pack_as_steps(const Rows<T>& rows, typename Factors::Word* to) {
  using Word = typename Factors::Word;
  const int64_t steps = steps_of<Factors>(rows.count), width = padded(rows.D);
  for (int64_t step = 0; step < steps; ++step) {
    Word* const row = to + step * width;
    std::fill(row + rows.D, row + width, Word{});
    for_stretches(0, rows.D, [&](int64_t first, int64_t count) {
      const Vector words = load_step(rows, step, first, count, Factors());
      std::memcpy(row + first, &words, sizeof words);  // zeros behind the last
    });
  }
  return {to, panels_of(rows.D), panel_width, width, steps};
}

/// Rows left of a product that sums along them: where they lie, or widened in `copy`.
template <class Factors, class T>
LeftFactor<typename Factors::Word> rows_on_the_left(const Rows<T>& rows, float* copy) {
  if constexpr (Factors::members == 2) {
    return {reinterpret_cast<const BfloatPair*>(rows.data), rows.count, rows.stride / 2, 1};
  } else if constexpr (std::is_same_v<std::remove_const_t<T>, float>) {
    return {rows.data, rows.count, rows.stride, 1};
  } else {
    for (int64_t i = 0; i < rows.count; ++i) {
      for_stretches(0, rows.D, [&](int64_t first, int64_t count) {
        store_channels(copy + i * rows.D + first, load_channels(rows.row(i) + first, count), count);
      });
    }
    return {copy, rows.count, rows.D, 1};
  }
}

/// A matrix of floats that the kernel itself has made, in rows of whole panels, as a factor. Pairs
/// are rounded to bf16 for it.
template <class Factors>
class MadeFactor;

template <>
class MadeFactor<Floats> {
 public:
  static size_t room(int64_t /*rows*/, int64_t /*columns*/) { return 0; }
  MadeFactor(const float* made, int64_t rows, int64_t columns, Workspace /*scratch*/)
      : made_(made), rows_(rows), columns_(columns) {}

  LeftFactor<float> left() const { return {made_, rows_, padded(columns_), 1}; }
  /// Its columns as rows.
  LeftFactor<float> turned() const { return {made_, columns_, 1, padded(columns_)}; }

 private:
  const float* made_;
  int64_t rows_, columns_;
};

template <>
class MadeFactor<Pairs> {
 public:
  static size_t room(int64_t rows, int64_t columns) {
    const auto words = static_cast<size_t>(steps_of<Pairs>(rows) * padded(columns));
    return 2 * Workspace::room_for<BfloatPair>(words);
  }
  MadeFactor(const float* made, int64_t rows, int64_t columns, Workspace scratch)
      : rows_(rows), columns_(columns) {
    const int64_t width = padded(columns);
    const auto words = static_cast<size_t>(steps_of<Pairs>(rows) * width);
    narrow_ = reinterpret_cast<bfloat16*>(scratch.take<BfloatPair>(words));
    turned_ = scratch.take<BfloatPair>(words);
    for (int64_t i = 0; i < rows * width; i += lanes) store_narrowed(narrow_ + i, load(made + i));
  }

  LeftFactor<BfloatPair> left() const {
    return {reinterpret_cast<const BfloatPair*>(narrow_), rows_, padded(columns_) / 2, 1};
  }
  LeftFactor<BfloatPair> turned() const {
    const int64_t width = padded(columns_);
    pack_as_steps<Pairs>(Rows<const bfloat16>{narrow_, width, rows_, width}, turned_);
    return {turned_, columns_, 1, width};
  }

 private:
  int64_t rows_, columns_;
  bfloat16* narrow_;
  BfloatPair* turned_;
};

}  // namespace
}  // namespace burin::cpu
