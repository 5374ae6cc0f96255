#pragma once

#include <algorithm>

#include "burin/kernels/base/shape.h"
#include "burin/kernels/pool2d.h"

/// The windows of pooling, as kernels/pool2d.h defines them.
namespace burin::checks {

/// The part of the plane a window covers, and what an average over it divides by.
struct Window {
  int64_t top, bottom, left, right;  // rows [top, bottom), columns [left, right)
  double divisor;
};

struct Span {
  int64_t begin, end, counted;
};

inline Span span(int64_t extent, int64_t output, int64_t kernel, int64_t stride, int64_t pad,
                 bool count_pad) {
  const int64_t start = output * stride - pad;
  const int64_t end = std::min(start + kernel, extent + pad);  // never beyond the padding
  const Span inside{std::max<int64_t>(start, 0), std::min(end, extent), end - start};
  return count_pad ? inside : Span{inside.begin, inside.end, inside.end - inside.begin};
}

inline Window window_of(const Shape& x, int64_t p, int64_t q, const Pool2dParams& params) {
  const bool pad = params.count_include_pad;
  const Span rows = span(x[2], p, params.kernel_h, params.stride_h, params.pad_h, pad);
  const Span columns = span(x[3], q, params.kernel_w, params.stride_w, params.pad_w, pad);
  return {rows.begin, rows.end, columns.begin, columns.end,
          static_cast<double>(rows.counted * columns.counted)};
}

/// Of pooling x.
inline Shape pooled_shape(const Shape& x, const Pool2dParams& params) {
  return {x[0], x[1], params.output_h(x[2]), params.output_w(x[3])};
}

/// Where an output element's plane begins, and its window.
template <class WindowOf>
auto over_outputs(const Shape& x, const Shape& y, const WindowOf& window) {
  return [=](int64_t index, const auto& use) {
    const int64_t q = index % y[3], p = index / y[3] % y[2], plane = index / (y[2] * y[3]);
    return use(static_cast<size_t>(plane * x[2] * x[3]), window(p, q));
  };
}

}  // namespace burin::checks
