#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "burin/kernels/base/shape.h"

namespace burin::cuda {

/// Where one element lies in each of n operands.
template <int n>
struct Offsets {
  int64_t at[n];
};

/// The loops over the elements that n operands share, outermost first: extents of 1 dropped,
/// neighbours merged where every operand allows it. A kernel takes it by value and asks for the
/// offsets of the element its thread owns.
template <int n>
struct LoopNest {
  int rank = 0;
  int64_t numel = 0;
  int64_t extent[Dims::max_rank] = {};
  int64_t stride[Dims::max_rank][n] = {};

  /// Offsets of element `i`, counted in the order of the loops.
  __device__ Offsets<n> offsets(int64_t i) const {
    // A 64-bit division costs several times a 32-bit one.
    return numel <= INT32_MAX ? walk(static_cast<uint32_t>(i)) : walk(static_cast<uint64_t>(i));
  }

  /// True if all operands are gapless and lie in the same order: a flat loop does.
  bool is_flat() const {
    if (rank > 1) return false;
    return rank == 0 || std::all_of(stride[0], stride[0] + n, [](int64_t s) { return s == 1; });
  }

 private:
  template <class Index>
  __device__ Offsets<n> walk(Index i) const {
    Offsets<n> result{};
    for (int loop = rank - 1; loop >= 0; --loop) {
      const Index length = static_cast<Index>(extent[loop]);
      const int64_t coordinate = static_cast<int64_t>(i % length);
      i /= length;
      for (int k = 0; k < n; ++k) result.at[k] += coordinate * stride[loop][k];
    }
    return result;
  }
};

/// Which order the loops take.
enum class LoopOrder {
  memory,   // of operand 0: neighbouring threads meet neighbouring elements
  logical,  // row-major in the shape
};

template <int n>
LoopNest<n> make_loop_nest(const Shape& shape, const std::array<const Strides*, n>& strides,
                           LoopOrder order = LoopOrder::memory) {
  std::array<int, Dims::max_rank> dims{};
  int count = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1) dims[static_cast<size_t>(count++)] = i;
  }
  if (order == LoopOrder::memory) {
    std::stable_sort(dims.begin(), dims.begin() + count, [&](int a, int b) {
      return std::abs((*strides[0])[a]) > std::abs((*strides[0])[b]);
    });
  }
  LoopNest<n> nest;
  nest.numel = numel(shape);
  for (int d = 0; d < count; ++d) {
    const int dim = dims[static_cast<size_t>(d)];
    bool merges = nest.rank > 0;
    for (size_t k = 0; k < n && merges; ++k) {
      merges = nest.stride[nest.rank - 1][k] == (*strides[k])[dim] * shape[dim];
    }
    const int loop = merges ? nest.rank - 1 : nest.rank++;
    nest.extent[loop] = (merges ? nest.extent[loop] : 1) * shape[dim];
    for (size_t k = 0; k < n; ++k) nest.stride[loop][k] = (*strides[k])[dim];
  }
  return nest;
}

}  // namespace burin::cuda
