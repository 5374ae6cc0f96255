#include "burin/tensor/ops/f32_list.h"

namespace burin {

void check_f32_lists(std::string_view op, std::initializer_list<Operand> operands) {
  for (const auto& [name, tensor] : operands) {
    if (!tensor.defined()) continue;
    check(tensor.dtype() == DType::f32 && tensor.is_contiguous(), op, ": ", name, ' ',
          tensor.dtype(), ' ', tensor.shape(), " must be f32, contiguous");
  }
}

}  // namespace burin
