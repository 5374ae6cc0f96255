#pragma once

#include "burin/kernels/epilogue.h"
#include "burin/kernels/op.h"

namespace burin {

/// Geometry of a two-dimensional convolution, torch's names and defaults.
struct Conv2dParams {
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;  // zeros on both sides
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;

  bool operator==(const Conv2dParams&) const = default;
  /// Output extent: P = ⌊(H + 2·pad − dilation·(R − 1) − 1) / stride⌋ + 1, and Q likewise; 0 where
  /// the filter does not fit.
  int64_t output_h(int64_t H, int64_t R) const {
    return output(H + 2 * pad_h - dilation_h * (R - 1) - 1, stride_h);
  }
  int64_t output_w(int64_t W, int64_t S) const {
    return output(W + 2 * pad_w - dilation_w * (S - 1) - 1, stride_w);
  }

 private:
  static int64_t output(int64_t reach, int64_t stride) {
    return reach < 0 ? 0 : reach / stride + 1;
  }
};

/// Two-dimensional convolution (cross-correlation, as every framework understands the word).
///
///   y[n, k, p, q] = activation(bias[k] + residual[n, k, p, q] +
///       Σ_{c, r, s} x[n, g·C/groups + c, p·stride − pad + r·dilation, q·stride − pad + s·dilation]
///                   · w[k, c, r, s]),   g = the group of k;  x outside the image is 0
///
/// Agrees with torch.nn.functional.conv2d. Sums are accumulated in f32.
struct Conv2dForward {
  static constexpr std::string_view name = "conv2d_forward";
  ConstView x;  // [N, C, H, W]            f32, bf16 or f16
  ConstView w;  // [K, C / groups, R, S]   dtype of x; may carry a key
  View y;       // [N, K, P, Q]            dtype of x
  Conv2dParams params;
  Epilogue epilogue;
};

/// dx = the adjoint of Conv2dForward (without epilogue) in x, applied to dy, + residual: what other
/// users of x have brought to its gradient. Writes all of dx.
struct Conv2dBackwardData {
  static constexpr std::string_view name = "conv2d_backward_data";
  ConstView dy;  // [N, K, P, Q]
  ConstView w;   // [K, C / groups, R, S]  dtype of dy; may carry a key
  View dx;       // [N, C, H, W]           dtype of dy
  Conv2dParams params;
  ConstView residual = {};  // shape, dtype and strides of dx, other memory; or absent
};

/// dw = the adjoint of Conv2dForward (without epilogue) in w, applied to dy. Writes all of dw.
struct Conv2dBackwardWeight {
  static constexpr std::string_view name = "conv2d_backward_weight";
  ConstView dy;  // [N, K, P, Q]
  ConstView x;   // [N, C, H, W]           dtype of dy
  View dw;       // [K, C / groups, R, S]  dtype of x, or f32
  Conv2dParams params;
};

}  // namespace burin
