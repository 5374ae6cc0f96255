// The rung `cluster` of matmul.cu: gemm_cluster.h, for products of few blocks, such as a
// classifier's for one image.
#include "burin/kernels/cuda/support/gemm_cluster.h"
#include "burin/kernels/cuda/support/matmul.h"
#include "burin/kernels/cuda/support/matmul_product.h"

namespace burin::cuda {
namespace {

Refusal accepts(const Matmul& op, const Context& context) {
  if (Refusal refusal = clusters_refuse(context.stream.device()); !refusal.empty()) return refusal;
  return matmul_tensor_cores_refuses(op);
}

void run(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t K = MatmulExtents(op).K;
  with_tensor_product(op, [&](const auto& product, int64_t M, int64_t N, int64_t count) {
    launch_cluster(product, {M, N, K, count}, stream);
  });
}

}  // namespace

void register_matmul_cluster(Registry& registry) {
  add<Matmul>(registry,
              {.name = "cuda/cluster", .accepts = accepts, .run = run, .caveat = not_yet_run});
}

}  // namespace burin::cuda
