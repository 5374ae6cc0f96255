#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Geometry of a pooling window, torch's names and defaults (torch's stride defaults to the
/// kernel).
struct Pool2dParams {
  int64_t kernel_h = 2, kernel_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  int64_t pad_h = 0, pad_w = 0;   // at most half the kernel
  bool ceil_mode = false;         // round the output extent up; the last window still starts inside
  bool count_include_pad = true;  // average only: padding counts in the divisor

  bool operator==(const Pool2dParams&) const = default;
  int64_t output_h(int64_t H) const { return output(H, kernel_h, stride_h, pad_h); }
  int64_t output_w(int64_t W) const { return output(W, kernel_w, stride_w, pad_w); }

 private:
  int64_t output(int64_t extent, int64_t kernel, int64_t stride, int64_t pad) const {
    const int64_t reach = extent + 2 * pad - kernel + (ceil_mode ? stride - 1 : 0);
    int64_t count = reach / stride + 1;
    if (ceil_mode && (count - 1) * stride >= extent + pad) --count;
    return count;
  }
};

/// All views are [N, C, H, W] or [N, C, P, Q], f32, bf16 or f16, and share dtype and layout.

/// y[n, c, p, q] = max over the window; padding counts as −∞; NaN wins.
struct MaxPool2dForward {
  static constexpr std::string_view name = "max_pool2d_forward";
  ConstView x;
  View y;
  View index;  // [N, C, P, Q] i32, layout of y, or absent: h·W + w of the chosen element, the first
               // in scan order among equals (of NaN the last, as torch has it)
  Pool2dParams params;
};

/// dx = Σ of the dy whose index points there. Writes all of dx.
struct MaxPool2dBackward {
  static constexpr std::string_view name = "max_pool2d_backward";
  ConstView dy;
  ConstView index;
  View dx;
  Pool2dParams params;
};

/// y = mean over the window. The divisor counts padding if count_include_pad, but never what
/// ceil_mode reaches beyond the padding (torch's rule).
struct AvgPool2dForward {
  static constexpr std::string_view name = "avg_pool2d_forward";
  ConstView x;
  View y;
  Pool2dParams params;
};

/// dx = Σ of dy / divisor over the windows that hold the element. Writes all of dx.
struct AvgPool2dBackward {
  static constexpr std::string_view name = "avg_pool2d_backward";
  ConstView dy;
  View dx;
  Pool2dParams params;
};

/// y[p, q] = mean over rows ⌊p·H/P⌋ … ⌈(p + 1)·H/P⌉ − 1 and columns likewise; P, Q are y's extents.
struct AdaptiveAvgPool2dForward {
  static constexpr std::string_view name = "adaptive_avg_pool2d_forward";
  ConstView x;
  View y;
};

/// dx = Σ of dy / its window's size over the windows that hold the element. Writes all of dx.
struct AdaptiveAvgPool2dBackward {
  static constexpr std::string_view name = "adaptive_avg_pool2d_backward";
  ConstView dy;
  View dx;
};

}  // namespace burin
