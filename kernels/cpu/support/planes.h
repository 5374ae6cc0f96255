#pragma once

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/view.h"

namespace burin::cpu {

/// An image as planes of H × W positions, each of `depth` neighbouring numbers: nhwc has N planes
/// of depth C, nchw has N·C planes of depth 1.
struct Planes {
  int64_t count, H, W, depth;

  static Planes of(const ConstView& image, Layout layout) {
    const int64_t N = image.dim(0), C = image.dim(1), H = image.dim(2), W = image.dim(3);
    if (layout == Layout::nhwc) return {N, H, W, C};
    return {N * C, H, W, 1};
  }
  int64_t offset(int64_t plane, int64_t h, int64_t w) const {
    return ((plane * H + h) * W + w) * depth;
  }
};

/// The layout all the images lie in; nhwc if both do.
template <class... Views>
Layout common_layout(const Views&... views) {
  return (views.is_dense(Layout::nhwc) && ...) ? Layout::nhwc : Layout::nchw;
}

/// Calls body(plane, row) for every row of the planes, on the compute threads.
template <class Body>
void for_each_line(const Planes& planes, const Body& body) {
  constexpr int64_t elements_per_thread = 16 * 1024;  // before a second one helps
  const int64_t grain = ceil_div(elements_per_thread, planes.W * planes.depth);
  parallel_for(planes.count * planes.H, grain, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) body(line / planes.H, line % planes.H);
  });
}

}  // namespace burin::cpu
