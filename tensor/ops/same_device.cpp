#include "burin/tensor/ops/same_device.h"

namespace burin {

void check_same_device(std::string_view op, std::initializer_list<Operand> operands) {
  const Operand* first = nullptr;
  for (const Operand& operand : operands) {
    if (!operand.tensor.defined()) continue;
    if (first == nullptr) first = &operand;
    check(operand.tensor.device() == first->tensor.device(), op, ": ", first->name, " is on ",
          first->tensor.device(), ", ", operand.name, " on ", operand.tensor.device());
  }
}

}  // namespace burin
