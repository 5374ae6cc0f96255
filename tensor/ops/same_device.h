#pragma once

#include <initializer_list>
#include <string_view>

#include "burin/tensor/tensor.h"

namespace burin {

/// An operand and what messages call it.
struct Operand {
  std::string_view name;
  const Tensor& tensor;
};

/// Throws Error unless all operands that are defined are on one device, as in "conv2d: x is on
/// cuda:0, weight on cuda:1".
void check_same_device(std::string_view op, std::initializer_list<Operand> operands);

}  // namespace burin
