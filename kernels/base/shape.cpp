#include "burin/kernels/base/shape.h"

#include <algorithm>

namespace burin {

bool Dims::operator==(const Dims& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

int64_t numel(const Shape& shape) {
  int64_t product = 1;
  bool empty = false;
  for (const int64_t extent : shape) {
    empty = empty || extent == 0;
    // An empty shape's strides must be countable too.
    const bool overflows = __builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product);
    check(!overflows, "shape: ", shape, " has more elements than 64 bits count");
  }
  return empty ? 0 : product;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = Strides::filled(shape.rank(), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) {
    strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  }
  return strides;
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result = Shape::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const int64_t m = i <= a.rank() ? a[a.rank() - i] : 1;
    const int64_t n = i <= b.rank() ? b[b.rank() - i] : 1;
    check(m == n || m == 1 || n == 1, "broadcast: ", a, " and ", b, " do not fit");
    result[rank - i] = m == 1 ? n : m;
  }
  return result;
}

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '[';
  for (int i = 0; i < dims.rank(); ++i) out << (i > 0 ? ", " : "") << dims[i];
  return out << ']';
}

}  // namespace burin
