#pragma once

#include "burin/kernels/cudnn/support/plan.h"
#include "burin/kernels/registry.h"

namespace burin::cudnn {

/// Registers an implementation of this family.
template <class Op>
void add(Registry& registry, const Implementation<Op>& implementation) {
  registry.add(implementation, DeviceKind::cuda);
}

/// The engines that operands of a dtype admit: none for f32 that would round them to TF32. The
/// plan's key need not hold them: dtypes are in it.
inline EngineRules rules_of(DType dtype) {
  return {.tensor_cores = dtype != DType::f32};
}

}  // namespace burin::cudnn
