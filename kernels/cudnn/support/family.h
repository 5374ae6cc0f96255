#pragma once

#include "burin/kernels/cudnn/support/plan.h"
#include "burin/kernels/registry.h"

namespace burin::cudnn {

/// Registers an implementation of this family.
template <class Op>
void add(Registry& registry, const Implementation<Op>& implementation) {
  registry.add(implementation, DeviceKind::cuda);
}

/// The engines that a context admits: none for f32 that would round its operands to TF32. The
/// plan's key need not hold them: dtypes are in it, and deterministic is equal for all calls.
inline EngineRules rules_of(const Context& context, DType dtype) {
  return {context.deterministic, dtype != DType::f32};
}

}  // namespace burin::cudnn
