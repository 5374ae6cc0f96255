#pragma once

#include <vector>

#include "burin/kernels/op.h"

namespace burin {

/// Scalars of an optimiser step, in device memory so that a captured step can be replayed while
/// they change. A view of f32 [optimizer_scalar_count], indexed by:
enum OptimizerScalar : int {
  scalar_learning_rate,
  scalar_momentum,        // Adam's beta1, SGD's momentum: a schedule may move it
  scalar_step,            // steps taken so far; the op adds 1 before use unless it skips
  scalar_gradient_scale,  // gradients are multiplied by it first: 1 / loss scale × clip coefficient
  scalar_found_inf,       // not 0: skip the step, leave everything as it is
  optimizer_scalar_count,
};

/// One Adam step over all parameters of a group at once.
///
///   g = gradient_scale · grad
///   g ← g + weight_decay · p;   if decoupled instead p ← p · (1 − learning_rate · weight_decay)
///   m ← beta1·m + (1 − beta1)·g;   v ← beta2·v + (1 − beta2)·g²
///   p ← p − learning_rate / (1 − beta1ᵗ) · m / (√(v / (1 − beta2ᵗ)) + epsilon)
///
/// Kingma & Ba 2015, arXiv:1412.6980, algorithm 1; decoupled decay: Loshchilov & Hutter 2019,
/// arXiv:1711.05101. Agrees with torch.optim.Adam and AdamW, and with fastai's Adam.
struct AdamStep {
  static constexpr std::string_view name = "adam_step";
  struct Slot {
    View parameter;      // f32
    ConstView gradient;  // f32, shape and strides of parameter
    View first_moment;   // f32: m
    View second_moment;  // f32: v
    View parameter_16;   // bf16 or f16 copy written beside it, or absent
  };
  std::vector<Slot> slots;
  View scalars;  // f32 [optimizer_scalar_count]
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0;
  bool decoupled_weight_decay = false;
};

}  // namespace burin
