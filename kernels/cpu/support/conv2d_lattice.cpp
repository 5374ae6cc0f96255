#include "burin/kernels/cpu/support/conv2d_lattice.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"

namespace burin::cpu {
namespace {

/// Offsets of the filter positions along one axis that reach the source from some pixel of the
/// grid.
struct Reach {
  int64_t position, offset;
};

/// How the convolution steps along one axis.
struct Steps {
  int64_t stride, pad, dilation;
};

std::vector<Reach> forward_reach(int64_t filter, int64_t outputs, int64_t source,
                                 const Steps& axis) {
  std::vector<Reach> reaches;
  for (int64_t r = 0; r < filter; ++r) {
    const int64_t offset = r * axis.dilation - axis.pad;
    // The first grid pixel at or after the source's begin must not lie behind its end.
    const int64_t first = offset >= 0 ? 0 : ceil_div(-offset, axis.stride);
    if (first < outputs && first * axis.stride + offset < source) reaches.push_back({r, offset});
  }
  return reaches;
}

std::vector<Reach> backward_reach(int64_t filter, int64_t first, int64_t pixels, int64_t source,
                                  const Steps& axis) {
  std::vector<Reach> reaches;
  for (int64_t r = 0; r < filter; ++r) {
    const int64_t distance = first + axis.pad - r * axis.dilation;
    if (distance % axis.stride != 0) continue;
    const int64_t offset = distance / axis.stride;
    if (offset < source && offset + pixels > 0) reaches.push_back({r, offset});
  }
  return reaches;
}

std::vector<Tap> taps_of(const std::vector<Reach>& down, const std::vector<Reach>& right) {
  std::vector<Tap> taps;
  for (const Reach& h : down) {
    for (const Reach& w : right) taps.push_back({h.offset, w.offset, h.position, w.position});
  }
  return taps;
}

Steps down(const Conv2dParams& c) {
  return {c.stride_h, c.pad_h, c.dilation_h};
}
Steps right(const Conv2dParams& c) {
  return {c.stride_w, c.pad_w, c.dilation_w};
}

}  // namespace

Correlation Correlation::from(const Conv2dForward& op) {
  const Conv2dParams& c = op.params;
  Correlation result{.source = op.x, .w = op.w, .destination = op.y, .epilogue = op.epilogue};
  result.groups = c.groups;
  result.in_channels = op.w.dim(1);
  result.out_channels = op.w.dim(0) / c.groups;
  result.group_stride = result.out_channels * op.w.strides[0];
  result.in_stride = op.w.strides[1];
  result.out_stride = op.w.strides[0];
  const int64_t P = op.y.dim(2), Q = op.y.dim(3);
  result.lattices.push_back({P, Q, 0, 0, 1, 1, c.stride_h, c.stride_w,
                             taps_of(forward_reach(op.w.dim(2), P, op.x.dim(2), down(c)),
                                     forward_reach(op.w.dim(3), Q, op.x.dim(3), right(c)))});
  return result;
}

Correlation Correlation::from(const Conv2dBackwardData& op) {
  const Conv2dParams& c = op.params;
  Correlation result{
      .source = op.dy, .w = op.w, .destination = op.dx, .epilogue = {.residual = op.residual}};
  result.groups = c.groups;
  result.in_channels = op.w.dim(0) / c.groups;
  result.out_channels = op.w.dim(1);
  result.group_stride = result.in_channels * op.w.strides[0];
  result.in_stride = op.w.strides[0];
  result.out_stride = op.w.strides[1];
  const int64_t H = op.dx.dim(2), W = op.dx.dim(3);
  for (int64_t h = 0; h < std::min(c.stride_h, H); ++h) {
    for (int64_t w = 0; w < std::min(c.stride_w, W); ++w) {
      const int64_t rows = ceil_div(H - h, c.stride_h), columns = ceil_div(W - w, c.stride_w);
      result.lattices.push_back(
          {rows, columns, h, w, c.stride_h, c.stride_w, 1, 1,
           taps_of(backward_reach(op.w.dim(2), h, rows, op.dy.dim(2), down(c)),
                   backward_reach(op.w.dim(3), w, columns, op.dy.dim(3), right(c)))});
    }
  }
  return result;
}

size_t Correlation::most_taps() const {
  size_t most = 0;
  for (const Lattice& lattice : lattices) most = std::max(most, lattice.taps.size());
  return most;
}

}  // namespace burin::cpu
