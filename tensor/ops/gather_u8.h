#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Rows of a table of decoded images → a network's input, each under a window of its own, mirrored
/// or not (kernels/gather_u8.h). table u8 [M, C, H0, W0] in any layout; rows [N, 4] i32; mean, std
/// [C] f32. Writes y [N, C, H, W]. Not differentiable. What `rows` names must be in the table: that
/// is not checked.
void gather_u8(const Tensor& table, const Tensor& rows, const Tensor& mean, const Tensor& std,
               Tensor& y);

}  // namespace burin
