#pragma once

#include "burin/kernels/check/case.h"

namespace burin {

/// How many of an op's small cases, without an epilogue, a planted kernel fails.
template <class Op>
int cases_that_catch(const Implementation<Op>& planted) {
  int caught = 0;
  for (const checks::OpCase* const one : checks::cases_of(Op::name)) {
    const auto* const typed = dynamic_cast<const checks::TypedCase<Op>*>(one);
    if (typed == nullptr || one->info.large) continue;
    checks::Operands operands(Device::cpu());
    const Op op = typed->make(operands).op;
    if constexpr (requires { op.epilogue; }) {
      if (!op.epilogue.empty()) continue;
    }
    caught += typed->check(planted, Device::cpu()).passed ? 0 : 1;
  }
  return caught;
}

}  // namespace burin
