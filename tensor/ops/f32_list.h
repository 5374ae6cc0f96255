#pragma once

#include <initializer_list>

#include "burin/tensor/ops/same_device.h"

namespace burin {

/// Throws Error unless all operands that are defined are f32 and without gaps, as kernels read what
/// is indexed by channel or class: "layer_norm: weight bf16 [64] must be f32, contiguous".
void check_f32_lists(std::string_view op, std::initializer_list<Operand> operands);

}  // namespace burin
