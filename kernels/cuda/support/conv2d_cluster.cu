// Convolution of 16-bit elements in nhwc as a matrix product on tensor cores whose sum along k is
// divided among the blocks of a cluster (gemm_cluster.h): `cluster`, forward for an image or two.
#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_cluster.h"

namespace burin::cuda {
namespace {

Refusal accepts(const Conv2dForward& op, const Context& context) {
  if (Refusal refusal = clusters_refuse(context.stream.device()); !refusal.empty()) return refusal;
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = tensor_cores_refuse(g, op.x, op.y, op.w); !refusal.empty()) return refusal;
  return g.C % 8 == 0 ? "" : odd_channels;
}

void run(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_16(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ForwardProduct<T> product = forward_product(op, g, op.x.as<T>(), op.w.as<T>(), g.C);
    launch_cluster(product, {product.M, product.N, product.k_end, 1}, stream);
  });
}

}  // namespace

void register_conv2d_cluster(Registry& registry) {
  add<Conv2dForward>(
      registry, {.name = "cuda/cluster", .accepts = accepts, .run = run, .caveat = not_yet_run});
}

}  // namespace burin::cuda
