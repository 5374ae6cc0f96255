#pragma once

#include <utility>

#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy of what uses this.
namespace {

/// Of every square of 2 · half lanes and rows along the diagonal, the two quarters beside it change
/// places.
template <int half, size_t... i>
inline void exchange_quarters(Vector (&rows)[lanes], std::index_sequence<i...> /*lanes*/) {
#pragma GCC unroll 16
  for (int r = 0; r < lanes; ++r) {
    if ((r & half) != 0) continue;
    const Vector upper = rows[r], lower = rows[r + half];
    rows[r] = __builtin_shufflevector(upper, lower, (i & half ? lanes + i - half : i)...);
    rows[r + half] = __builtin_shufflevector(upper, lower, (i & half ? lanes + i : i + half)...);
  }
}

/// rows[r][c] becomes rows[c][r].
template <int half = lanes / 2>
inline void transpose(Vector (&rows)[lanes]) {
  exchange_quarters<half>(rows, std::make_index_sequence<lanes>());
  if constexpr (half > 1) transpose<half / 2>(rows);
}

}  // namespace
}  // namespace burin::cpu
