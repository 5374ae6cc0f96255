#pragma once

#include "burin/kernels/matmul.h"

namespace burin::cuda {

/// The fastest rung of the ladder in matmul.cu, also for convolutions that are matrix products.
/// Refuses in words what it does not take.
Refusal matmul_tensor_cores_refuses(const Matmul& op);
void matmul_tensor_cores(const Matmul& op, Stream& stream);

}  // namespace burin::cuda
