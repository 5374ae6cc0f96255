#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "burin/kernels/base/view.h"

namespace burin::cuda {

/// A dense image in memory. The strides say the layout.
struct Image {
  int64_t N, C, H, W;
  int64_t stride_n, stride_c, stride_h, stride_w;

  /// `view` is [N, C, H, W], dense in `layout`.
  template <class V>
  static Image of(const V& view, Layout layout) {
    const int64_t C = view.dim(1), H = view.dim(2), W = view.dim(3);
    if (layout == Layout::nhwc) {
      return {view.dim(0), C, H, W, C * H * W, 1, W * C, C};
    }
    return {view.dim(0), C, H, W, C * H * W, H * W, W, 1};
  }
  int64_t numel() const { return N * C * H * W; }

  /// Where element i lies that is the i-th in memory.
  struct Position {
    int64_t n, c, h, w;
  };
  __device__ Position position(int64_t i) const {
    Position p{};
    p.n = i / stride_n;
    i %= stride_n;
    if (stride_c == 1) {  // nhwc
      p.c = i % C;
      p.w = i / C % W;
      p.h = i / (C * W);
    } else {
      p.w = i % W;
      p.h = i / W % H;
      p.c = i / (H * W);
    }
    return p;
  }
  __device__ int64_t offset(int64_t n, int64_t c, int64_t h, int64_t w) const {
    return n * stride_n + c * stride_c + h * stride_h + w * stride_w;
  }
};

/// The layout in which both are dense; both must be in one.
template <class A, class B>
Layout common_layout(const A& a, const B& b) {
  return a.is_dense(Layout::nhwc) && b.is_dense(Layout::nhwc) ? Layout::nhwc : Layout::nchw;
}

/// Why two images can't be input and output of a pooling, or empty.
template <class A, class B>
std::string refuse_images(const A& one, const B& other) {
  if (!is_floating(one.dtype)) return str("dtype ", one.dtype);
  if (other.dtype != one.dtype) return str("dtypes ", one.dtype, " and ", other.dtype);
  if (one.rank() != 4 || other.rank() != 4) return "only [N, C, H, W]";
  if (one.numel() == 0 || other.numel() == 0) return "an empty image";
  const auto both = [&](Layout layout) { return one.is_dense(layout) && other.is_dense(layout); };
  if (both(Layout::nhwc) || both(Layout::nchw)) return "";
  return "input and output are not dense in one layout";
}

}  // namespace burin::cuda
