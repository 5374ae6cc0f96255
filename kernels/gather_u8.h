#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Rows of a table of decoded images become a network's input: each under a window of its own,
/// mirrored or not, converted, normalised and laid out in one pass.
///
///   y[n, c, h, w] = (level / 255 − mean[c]) / std[c]             in f32, then rounded to y's dtype
///   level = table[i, c, top + h, left + (flip ? W − 1 − w : w)],  0 outside of the image
///   (i, left, top, flip) = rows[n]
///
/// torchvision's RandomCrop with padding, RandomHorizontalFlip, ToTensor and Normalize, once it is
/// known what they have drawn. Where neither moves nor mirrors: normalize_u8.h of the same rows.
struct GatherU8 {
  static constexpr std::string_view name = "gather_u8";
  ConstView table;  // [M, C, H0, W0]  u8, any strides
  ConstView rows;   // [N, 4]          i32, dense: which image, left, top, 1 to mirror it or 0
  ConstView mean;   // [C]             f32
  ConstView std;    // [C]             f32, > 0
  View y;           // [N, C, H, W]    f32, bf16 or f16, dense in some layout
};

}  // namespace burin
