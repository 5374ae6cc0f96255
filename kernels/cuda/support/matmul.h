#pragma once

#include "burin/kernels/matmul.h"

namespace burin {
class Registry;
}

namespace burin::cuda {

/// The two fastest rungs of the ladder in matmul.cu, also for convolutions that are matrix
/// products. Refuses in words what neither takes.
Refusal matmul_tensor_cores_refuses(const Matmul& op);
void matmul_tensor_cores(const Matmul& op, Stream& stream);
/// On GPUs that have the instructions, see gemm_warpgroup.h.
void matmul_warpgroup(const Matmul& op, Stream& stream);

void register_matmul_warpgroup(Registry& registry);
void register_matmul_cluster(Registry& registry);

}  // namespace burin::cuda
