#pragma once

#include <vector>

#include "burin/tensor/tensor.h"

namespace burin {

/// The tensors one after another along `axis` (negative counts from the back). Shapes must agree in
/// every other dimension. The result has the layout of the first. Differentiable.
Tensor concat(const std::vector<Tensor>& tensors, int axis);

}  // namespace burin
