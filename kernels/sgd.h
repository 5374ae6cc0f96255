#pragma once

#include <vector>

#include "burin/kernels/adam.h"

namespace burin {

/// One step of stochastic gradient descent over all parameters of a group at once.
///
///   g = gradient_scale · grad + weight_decay · p
///   b ← g in the first step, momentum·b + g afterwards;   d = g + momentum·b if nesterov, else b
///   p ← p − learning_rate · d
///
/// Where weight_decay is 0 its term is absent, not 0 · ∞.
/// Agrees with torch.optim.SGD (dampening 0).
struct SgdStep {
  static constexpr std::string_view name = "sgd_step";
  struct Slot {
    View parameter;        // f32
    ConstView gradient;    // f32, shape and strides of parameter
    View momentum_buffer;  // f32: b; absent if momentum is not used
    View parameter_16;     // bf16 or f16 copy written beside it, or absent
  };
  std::vector<Slot> slots;
  View scalars;  // f32 [optimizer_scalar_count], see adam.h
  float weight_decay = 0;
  bool nesterov = false;
};

}  // namespace burin
