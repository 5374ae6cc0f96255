#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "burin/kernels/pool2d.h"

namespace burin::cuda {

/// Positions [begin, end) along one axis.
struct Range {
  int64_t begin, end;
};

/// One spatial axis of a pooling with equal windows.
struct PoolAxis {
  int64_t extent, outputs, kernel, stride, pad;
  bool count_include_pad;

  /// Input positions of window p that lie inside.
  __device__ Range window(int64_t p) const {
    const int64_t start = p * stride - pad;
    const int64_t end = start + kernel;
    return {start > 0 ? start : 0, end < extent ? end : extent};
  }
  /// The outputs whose windows contain input position h.
  __device__ Range outputs_over(int64_t h) const {
    const int64_t first = h + pad < kernel ? 0 : (h + pad - kernel) / stride + 1;
    const int64_t end = (h + pad) / stride + 1;
    return {first, end < outputs ? end : outputs};
  }
  /// What an average over window p divides by: padding counts where asked, but never what
  /// ceil_mode reaches beyond it.
  __device__ float divisor(int64_t p) const {
    const Range inside = window(p);
    if (!count_include_pad) return static_cast<float>(inside.end - inside.begin);
    const int64_t reach = extent + pad - (p * stride - pad);
    return static_cast<float>(kernel < reach ? kernel : reach);
  }
};

/// One axis whose windows are ⌊p·extent/outputs⌋ … ⌈(p + 1)·extent/outputs⌉ − 1.
struct AdaptiveAxis {
  int64_t extent, outputs;

  __device__ Range window(int64_t p) const {
    return {p * extent / outputs, ((p + 1) * extent + outputs - 1) / outputs};
  }
  __device__ Range outputs_over(int64_t h) const {
    return {h * outputs / extent, ((h + 1) * outputs + extent - 1) / extent};
  }
  __device__ float divisor(int64_t p) const {
    const Range inside = window(p);
    return static_cast<float>(inside.end - inside.begin);
  }
};

template <class Axis>
struct Axes {
  Axis h, w;
};

/// `input` and `output` of the forward direction.
template <class V, class W>
Axes<PoolAxis> axes_of(const V& input, const W& output, const Pool2dParams& p) {
  const bool count = p.count_include_pad;
  return {{input.dim(2), output.dim(2), p.kernel_h, p.stride_h, p.pad_h, count},
          {input.dim(3), output.dim(3), p.kernel_w, p.stride_w, p.pad_w, count}};
}
template <class V, class W>
Axes<AdaptiveAxis> axes_of(const V& input, const W& output) {
  return {{input.dim(2), output.dim(2)}, {input.dim(3), output.dim(3)}};
}

}  // namespace burin::cuda
