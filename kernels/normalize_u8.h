#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Images as they were decoded become a network's input: converted, normalised and laid out in one
/// pass.
///
///   y[n, c, h, w] = (x[n, c, h, w] / 255 − mean[c]) / std[c]     in f32, then rounded to y's dtype
///
/// torchvision's ToTensor and Normalize.
struct NormalizeU8 {
  static constexpr std::string_view name = "normalize_u8";
  ConstView x;     // [N, C, H, W]  u8, any strides
  ConstView mean;  // [C]           f32
  ConstView std;   // [C]           f32, > 0
  View y;          // [N, C, H, W]  f32, bf16 or f16, dense in some layout
};

}  // namespace burin
