#pragma once

#include <vector>

#include "burin/kernels/op.h"

namespace burin {

/// Exponential moving averages of many tensors at once.
///
///   average ← decay · average + (1 − decay) · value
///
/// The decay lies in device memory, so that a captured step can be replayed while it warms up.
struct EmaStep {
  static constexpr std::string_view name = "ema_step";
  struct Slot {
    View average;     // f32
    ConstView value;  // f32, shape and strides of average
  };
  std::vector<Slot> slots;
  ConstView decay;  // f32 [1], in [0, 1)
};

}  // namespace burin
