#pragma once

#include "burin/kernels/conv2d.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {

/// A convolution's extents and parameters, in the int that a kernel computes with.
struct Conv2dGeometry {
  int N, C, H, W, K, R, S, P, Q;
  int group_c, group_k;  // channels of x and of y in a group
  int groups, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  static Conv2dGeometry of(const Shape& x, const Shape& w, const Shape& y,
                           const Conv2dParams& params) {
    const auto narrow = [](int64_t value) { return static_cast<int>(value); };
    return {narrow(x[0]),
            narrow(x[1]),
            narrow(x[2]),
            narrow(x[3]),
            narrow(w[0]),
            narrow(w[2]),
            narrow(w[3]),
            narrow(y[2]),
            narrow(y[3]),
            narrow(w[1]),
            narrow(w[0] / params.groups),
            narrow(params.groups),
            narrow(params.stride_h),
            narrow(params.stride_w),
            narrow(params.pad_h),
            narrow(params.pad_w),
            narrow(params.dilation_h),
            narrow(params.dilation_w)};
  }
  static Conv2dGeometry of(const Conv2dForward& op) {
    return of(op.x.shape, op.w.shape, op.y.shape, op.params);
  }
  static Conv2dGeometry of(const Conv2dBackwardData& op) {
    return of(op.dx.shape, op.w.shape, op.dy.shape, op.params);
  }
  static Conv2dGeometry of(const Conv2dBackwardWeight& op) {
    return of(op.x.shape, op.dw.shape, op.dy.shape, op.params);
  }

  int64_t pixels() const { return int64_t{N} * P * Q; }
  __device__ int taps() const { return R * S * group_c; }
};

/// Four-dimensional memory with any strides; `at` takes logical coordinates.
template <class T>
struct Image {
  T* data;
  int64_t stride[4];

  template <class V>
  static Image of(const V& view) {
    return {static_cast<T*>(view.data),
            {view.strides[0], view.strides[1], view.strides[2], view.strides[3]}};
  }
  __device__ int64_t offset(int a, int b, int c, int d) const {
    return a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3];
  }
  __device__ float at(int a, int b, int c, int d) const { return float(data[offset(a, b, c, d)]); }
};

/// Pixels of dx along one axis that meet the same taps, because they lie a stride apart: with
/// stride 2 the even ones and the odd ones. Between two such pixels the output moves by one, so
/// that within a class backward_data is a convolution of stride 1.
///
///   pixel = first + stride · i,  i < extent;   tap = tap0 + tap_step · j,  j < taps
///   output = i + output0 − output_step · j
struct AxisClass {
  int first, extent, taps, tap0, tap_step, output0, output_step;

  __device__ static AxisClass of(int first, int pixels, int filter, int stride, int pad,
                                 int dilation) {
    AxisClass c{first, extent_of(first, pixels, stride), 0, 0, 1, 0, 0};
    for (int tap = 0; tap < filter; ++tap) {
      if ((first + pad - tap * dilation) % stride != 0) continue;
      if (c.taps == 0) c.tap0 = tap;
      if (c.taps == 1) c.tap_step = tap - c.tap0;
      ++c.taps;
    }
    c.output0 = (first + pad - c.tap0 * dilation) / stride;
    c.output_step = c.tap_step * dilation / stride;
    return c;
  }
  __device__ static int extent_of(int first, int pixels, int stride) {
    return first < pixels ? (pixels - first + stride - 1) / stride : 0;
  }
};

/// How the sum over all output pixels, which a weight gradient is, is split over blocks.
struct PixelSplit {
  int count;   // parts
  int pixels;  // in each but the last

  /// Enough parts that `blocks` of them fill a large GPU twice, none shorter than 512 pixels.
  static PixelSplit of(int64_t pixels, int64_t blocks) {
    constexpr int64_t wanted = 264, shortest = 512;
    const int64_t most = (pixels + shortest - 1) / shortest;
    return in(pixels, std::max<int64_t>(1, std::min((wanted + blocks - 1) / blocks, most)));
  }
  /// In `parts`, or fewer, each of whole tiles of 64 pixels.
  static PixelSplit in(int64_t pixels, int64_t parts) {
    const int64_t each = ((pixels + parts - 1) / parts + 63) / 64 * 64;
    return {static_cast<int>((pixels + each - 1) / each), static_cast<int>(each)};
  }
};

/// Adds the parts of a weight gradient, f32 [count][K][R·S][channels] in the workspace, and writes
/// dw. Channels beyond dw's are padding.
void add_weight_parts(const float* parts, int count, int channels, const Conv2dBackwardWeight& op,
                      Stream& stream);

/// Empty if every index of the problem fits an int.
Refusal too_large(const Conv2dGeometry& g);
/// The same for a grid with a row of blocks for each 64 channels or taps, or more, and with what
/// stands side by side, groups or classes of pixels, along z.
Refusal too_wide(const Conv2dGeometry& g);

}  // namespace burin::cuda
