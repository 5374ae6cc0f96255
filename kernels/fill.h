#pragma once

#include "burin/kernels/op.h"

namespace burin {

enum class FillKind : uint8_t {
  constant,          // a
  uniform,           // a + (b − a) · u, u in [0, 1)
  normal,            // mean a, standard deviation b
  truncated_normal,  // the same within ±2 standard deviations: draws again until it fits
  bernoulli,         // 1 with probability a, else 0
};

/// Fills y. Element i, in logical order, draws from Philox 4x32-10 with counter {i, offset} and key
/// seed (base/random.h): uniform and bernoulli use word i % 4 of block i / 4; a normal uses words 0
/// and 1 of block i, a truncated one words 2·k and 2·k + 1 of its k-th try (k < 2), then blocks i +
/// 2⁴⁸·j.
struct Fill {
  static constexpr std::string_view name = "fill";
  View y;  // any dtype for constant, else f32, bf16 or f16; any strides
  FillKind kind = FillKind::constant;
  double a = 0;
  double b = 1;
  View state;  // [2] i64 {seed, offset} in device memory, absent for constant; offset advances by 1
};

}  // namespace burin
