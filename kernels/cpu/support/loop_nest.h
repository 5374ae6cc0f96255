#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "burin/kernels/base/shape.h"

namespace burin::cpu {

/// The loops over the elements that n operands share, arranged for the memory of operand 0: its
/// largest stride outermost, extents of 1 dropped, neighbours merged wherever every operand allows
/// it. Tensors that are dense in the same order thus become one long loop with strides of 1,
/// whatever their rank and layout.
template <int n>
struct LoopNest {
  struct Loop {
    int64_t extent;
    std::array<int64_t, n> stride;  // of each operand, in elements
  };

  int rank = 0;  // at least 1
  std::array<Loop, Dims::max_rank> loops{};
  int64_t numel = 0;

  Loop& inner() { return loops[static_cast<size_t>(rank - 1)]; }
  const Loop& inner() const { return loops[static_cast<size_t>(rank - 1)]; }
  const Loop& operator[](int i) const { return loops[static_cast<size_t>(i)]; }

  /// True if all operands are gapless and lie in the same order: a flat loop does.
  bool is_flat() const {
    const auto& strides = inner().stride;
    return rank == 1 &&
           std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 1; });
  }

  /// True if `outer` and the loop inside it are one: every operand goes on where the inner one
  /// ends.
  static bool merges(const Loop& outer, const Loop& inner) {
    for (size_t k = 0; k < n; ++k) {
      if (outer.stride[k] != inner.stride[k] * inner.extent) return false;
    }
    return true;
  }

  void push_back(const Loop& loop) { loops[static_cast<size_t>(rank++)] = loop; }
};

/// Which order the loops take.
enum class LoopOrder {
  memory,   // of operand 0
  logical,  // row-major in the shape
};

template <int n>
LoopNest<n> make_loop_nest(const Shape& shape, const std::array<const Strides*, n>& strides,
                           LoopOrder order = LoopOrder::memory) {
  using Loop = typename LoopNest<n>::Loop;
  LoopNest<n> nest;
  nest.numel = numel(shape);
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    Loop loop{shape[i], {}};
    for (size_t k = 0; k < n; ++k) loop.stride[k] = (*strides[k])[i];
    nest.push_back(loop);
  }
  const auto begin = nest.loops.begin();
  if (order == LoopOrder::memory) {
    std::stable_sort(begin, begin + nest.rank, [](const Loop& a, const Loop& b) {
      return std::abs(a.stride[0]) > std::abs(b.stride[0]);
    });
  }
  const LoopNest<n> sorted = std::exchange(nest, LoopNest<n>{});
  nest.numel = sorted.numel;
  for (int i = 0; i < sorted.rank; ++i) {
    if (nest.rank > 0 && LoopNest<n>::merges(nest.inner(), sorted[i])) {
      nest.inner() = {nest.inner().extent * sorted[i].extent, sorted[i].stride};
    } else {
      nest.push_back(sorted[i]);
    }
  }
  if (nest.rank == 0) {
    Loop single{1, {}};
    single.stride.fill(1);
    nest.push_back(single);
  }
  return nest;
}

/// Walks over the elements [begin, end) of a nest, counted in its own order, by pieces of the
/// innermost loop: calls row(offsets, count) with each operand's offset of the piece's first
/// element. Any range will do, so threads may split the elements evenly.
template <int n, class Row>
void for_each_row(const LoopNest<n>& nest, int64_t begin, int64_t end, const Row& row) {
  if (begin >= end) return;
  std::array<int64_t, Dims::max_rank> at{};
  std::array<int64_t, n> offset{};
  int64_t rest = begin;
  for (int i = nest.rank - 1; i >= 0; --i) {
    at[static_cast<size_t>(i)] = rest % nest[i].extent;
    rest /= nest[i].extent;
    for (size_t k = 0; k < n; ++k) offset[k] += at[static_cast<size_t>(i)] * nest[i].stride[k];
  }
  int64_t& column = at[static_cast<size_t>(nest.rank - 1)];
  while (begin < end) {
    const int64_t count = std::min(nest.inner().extent - column, end - begin);
    row(offset, count);
    begin += count;
    column += count;
    for (size_t k = 0; k < n; ++k) offset[k] += count * nest.inner().stride[k];
    for (int i = nest.rank - 1; i > 0 && at[static_cast<size_t>(i)] == nest[i].extent; --i) {
      at[static_cast<size_t>(i)] = 0;
      ++at[static_cast<size_t>(i - 1)];
      for (size_t k = 0; k < n; ++k) {
        offset[k] += nest[i - 1].stride[k] - nest[i].extent * nest[i].stride[k];
      }
    }
  }
}

}  // namespace burin::cpu
