#pragma once

#include <cstdint>
#include <ostream>

#include "burin/kernels/base/shape.h"

namespace burin {

/// Order in memory of a four-dimensional tensor; the logical order stays [N, C, H, W].
/// A layout is nothing but a pattern of strides.
enum class Layout : uint8_t {
  nhwc,  // channels dense: what networks here run in
  nchw,  // row-major
};

std::ostream& operator<<(std::ostream& out, Layout layout);

/// Strides of a dense tensor in `layout`. Ranks other than 4 are row-major in either.
Strides dense_strides(const Shape& shape, Layout layout);

/// True if `strides` are those of a dense tensor in `layout`; strides of extents of 1 do not
/// matter.
bool is_dense(const Shape& shape, const Strides& strides, Layout layout);

}  // namespace burin
