#pragma once

#include <functional>
#include <string>
#include <vector>

#include "burin/tensor/tensor.h"

namespace burin {

struct GradcheckOptions {
  double step = 1e-2;       // central difference; f32 rounding wants it large
  double tolerance = 2e-2;  // relative to the gradient's own scale
  int64_t elements = 64;    // of each input that are probed, spread evenly
};

/// Compares the gradients that backward() leaves with central differences of `f`, whose result is
/// reduced to a number by a fixed, uneven weighting. Inputs are f32 leaves; those that require a
/// gradient are probed. Returns an empty string, or what differs: input, element, both values.
std::string gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                      std::vector<Tensor> inputs, const GradcheckOptions& options = {});

}  // namespace burin
