#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Images as decoded → a network's input: y = (x / 255 − mean[c]) / std[c].
/// x u8 [N, C, H, W] in any layout; mean, std [C] f32; y in the given dtype and layout. Not
/// differentiable.
Tensor normalize_u8(const Tensor& x, const Tensor& mean, const Tensor& std, DType dtype,
                    Layout layout);
/// The same into y, which has the shape of x.
void normalize_u8(const Tensor& x, const Tensor& mean, const Tensor& std, Tensor& y);

}  // namespace burin
