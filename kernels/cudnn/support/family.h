#pragma once

#include "burin/kernels/cudnn/support/plan.h"
#include "burin/kernels/registry.h"

namespace burin::cudnn {

/// Registers an implementation of this family.
template <class Op>
void add(Registry& registry, const Implementation<Op>& implementation) {
  registry.add(implementation, DeviceKind::cuda);
}

/// The engines that a context admits. The plan's key need not hold them: deterministic and TF32 are
/// the process's choice, equal for all calls.
inline EngineRules rules_of(const Context& context, DType dtype) {
  return {context.deterministic, dtype != DType::f32 || context.allow_tf32};
}

}  // namespace burin::cudnn
