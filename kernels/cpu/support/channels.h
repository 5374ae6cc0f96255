#pragma once

#include <algorithm>
#include <type_traits>

#include "burin/kernels/base/view.h"
#include "burin/kernels/cpu/support/parts.h"

namespace burin::cpu {

/// An image as an array [outer, channels, inner]: nhwc and [N, C] have outer = N·H·W and inner = 1,
/// nchw has outer = N and inner = H·W.
struct Geometry {
  int64_t outer, channels, inner;
  int64_t numel() const { return outer * channels * inner; }
  int64_t per_channel() const { return outer * inner; }
};

inline Geometry geometry_of(const ConstView& x) {
  const int64_t N = x.dim(0), C = x.dim(1);
  const int64_t HW = x.rank() == 4 ? x.dim(2) * x.dim(3) : 1;
  if (x.is_dense(Layout::nhwc)) return {N * HW, C, 1};
  return {N, C, HW};
}

/// The memory of an image cut into chunks that stay in the first-level cache, each beginning at a
/// byte of the ReLU mask, and with inner = 1 at a row.
struct Chunks {
  explicit Chunks(const Geometry& geometry) : numel(geometry.numel()) {
    constexpr int64_t target = 2048;  // elements: 8 KB of f32 in each of x, y and the residual
    const int64_t C = geometry.channels;
    // Up to 64 rows: what backward sums in float before it goes on in double.
    length = geometry.inner == 1 ? C * std::clamp<int64_t>(target / C / 8 * 8, 8, 64) : target;
    count = ceil_div(numel, length);
    parts = parts_for(count, 8);
  }
  int64_t begin(int64_t chunk) const { return chunk * length; }
  int64_t end(int64_t chunk) const { return std::min(begin(chunk) + length, numel); }

  int64_t numel, length, count, parts;
};

/// Calls body(channel, begin, end) for the stretches of [begin, end) that lie in one plane.
template <class Body>
void for_each_plane(const Geometry& g, int64_t begin, int64_t end, const Body& body) {
  for (int64_t at = begin; at < end;) {
    const int64_t plane = at / g.inner;
    const int64_t stop = std::min((plane + 1) * g.inner, end);
    body(plane % g.channels, at, stop);
    at = stop;
  }
}

/// Calls f(std::true_type) or f(std::false_type).
template <class F>
void with_flag(bool flag, const F& f) {
  if (flag) {
    f(std::true_type{});
  } else {
    f(std::false_type{});
  }
}

}  // namespace burin::cpu
