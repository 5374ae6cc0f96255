#include "burin/kernels/base/layout.h"

namespace burin {

std::ostream& operator<<(std::ostream& out, Layout layout) {
  return out << (layout == Layout::nhwc ? "nhwc" : "nchw");
}

Strides dense_strides(const Shape& shape, Layout layout) {
  if (layout == Layout::nchw || shape.rank() != 4) return contiguous_strides(shape);
  const int64_t C = shape[1], H = shape[2], W = shape[3];
  return {H * W * C, 1, W * C, C};
}

bool is_dense(const Shape& shape, const Strides& strides, Layout layout) {
  const Strides dense = dense_strides(shape, layout);
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] > 1 && strides[i] != dense[i]) return false;
  }
  return true;
}

}  // namespace burin
