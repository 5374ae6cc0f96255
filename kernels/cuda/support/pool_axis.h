#pragma once

#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

#include "burin/kernels/pool2d.h"

namespace burin::cuda {

/// Everything here computes in Int: int64_t always does, int divides several times faster.

/// Positions [begin, end) along one axis.
template <class Int>
struct Range {
  Int begin, end;
};

/// One spatial axis of a pooling with equal windows.
template <class Int>
struct PoolAxis {
  Int extent, outputs, kernel, stride, pad;
  bool count_include_pad;
  int shift;  // log₂ of the stride, or −1: a shift instead of a division where it can be

  /// Where window p begins, maybe in the padding.
  __device__ Int start(Int p) const { return p * stride - pad; }
  /// Input positions of window p that lie inside.
  __device__ Range<Int> window(Int p) const {
    const Int begin = start(p), end = begin + kernel;
    return {begin > 0 ? begin : 0, end < extent ? end : extent};
  }
  /// The outputs whose windows contain input position h.
  __device__ Range<Int> outputs_over(Int h) const {
    const Int first = h + pad < kernel ? 0 : windows(h + pad - kernel) + 1;
    const Int end = windows(h + pad) + 1;
    return {first, end < outputs ? end : outputs};
  }
  /// What an average over window p divides by: padding counts where asked, but never what
  /// ceil_mode reaches beyond it.
  __device__ float divisor(Int p) const {
    const Range<Int> inside = window(p);
    if (!count_include_pad) return static_cast<float>(inside.end - inside.begin);
    const Int reach = extent + pad - start(p);
    return static_cast<float>(kernel < reach ? kernel : reach);
  }

 private:
  __device__ Int windows(Int distance) const {
    return shift >= 0 ? distance >> shift : distance / stride;
  }
};

/// One axis whose windows are ⌊p·extent/outputs⌋ … ⌈(p + 1)·extent/outputs⌉ − 1.
template <class Int>
struct AdaptiveAxis {
  Int extent, outputs;

  __device__ Range<Int> window(Int p) const {
    if (outputs == 1) return {0, extent};  // the mean of a plane: no division
    return {p * extent / outputs, ((p + 1) * extent + outputs - 1) / outputs};
  }
  __device__ Range<Int> outputs_over(Int h) const {
    if (outputs == 1) return {0, 1};
    return {h * outputs / extent, ((h + 1) * outputs + extent - 1) / extent};
  }
  __device__ float divisor(Int p) const {
    const Range<Int> inside = window(p);
    return static_cast<float>(inside.end - inside.begin);
  }
};

template <class Axis>
struct Axes {
  Axis h, w;
};

/// `input` and `output` of the forward direction.
template <class Int, class V, class W>
Axes<PoolAxis<Int>> axes_of(const V& input, const W& output, const Pool2dParams& p) {
  const auto axis = [&](int dim, int64_t kernel, int64_t stride, int64_t pad) {
    return PoolAxis<Int>{static_cast<Int>(input.dim(dim)),
                         static_cast<Int>(output.dim(dim)),
                         static_cast<Int>(kernel),
                         static_cast<Int>(stride),
                         static_cast<Int>(pad),
                         p.count_include_pad,
                         std::has_single_bit(static_cast<uint64_t>(stride))
                             ? std::countr_zero(static_cast<uint64_t>(stride))
                             : -1};
  };
  return {axis(2, p.kernel_h, p.stride_h, p.pad_h), axis(3, p.kernel_w, p.stride_w, p.pad_w)};
}
template <class Int, class V, class W>
Axes<AdaptiveAxis<Int>> axes_of(const V& input, const W& output) {
  return {{static_cast<Int>(input.dim(2)), static_cast<Int>(output.dim(2))},
          {static_cast<Int>(input.dim(3)), static_cast<Int>(output.dim(3))}};
}

}  // namespace burin::cuda
