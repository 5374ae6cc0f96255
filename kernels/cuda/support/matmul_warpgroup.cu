// The rung `warpgroup` of matmul.cu's ladder: Hopper's matrix instructions (gemm_warpgroup.h).
// Compiled for sm_90a.
#include "burin/kernels/cuda/support/gemm_warpgroup.h"
#include "burin/kernels/cuda/support/matmul.h"
#include "burin/kernels/cuda/support/matmul_product.h"

namespace burin::cuda {
namespace {

Refusal accepts(const Matmul& op, const Context& context) {
  if (Refusal refusal = wgmma_refuses(context.stream.device()); !refusal.empty()) return refusal;
  return matmul_tensor_cores_refuses(op);
}

void run(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  matmul_warpgroup(op, stream);
}

}  // namespace

void matmul_warpgroup(const Matmul& op, Stream& stream) {
  with_tensor_product(op, [&](const auto& product, int64_t M, int64_t N, int64_t count) {
    launch_warpgroup(product, M, N, product.k_end, count, stream);
  });
}

void register_matmul_warpgroup(Registry& registry) {
  add<Matmul>(registry, {.name = "cuda/warpgroup", .accepts = accepts, .run = run});
}

}  // namespace burin::cuda
