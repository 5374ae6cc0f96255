// The rung `cluster` of batch_norm.cu: training's forward pass over small images in one launch and
// one reading (batch_norm_cluster.h).
#include "burin/kernels/cuda/support/batch_norm_cluster.h"

#include "burin/kernels/cuda/support/batch_norm.h"

namespace burin::cuda {
namespace {

Refusal accepts(const BatchNormTrain& op, const Context& context) {
  const Device device = context.stream.device();
  if (Refusal refusal = clusters_refuse(device); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_forward<true>(op); !refusal.empty()) return refusal;
  const ClusterRows over = ClusterRows::of(Rows::of(Channels::of(op.x)));
  const size_t bytes =
      op.x.dtype == DType::f32 ? over.shared_bytes<float>() : over.shared_bytes<__half>();
  return bytes <= static_cast<size_t>(shared_bytes_of(device))
             ? ""
             : str("a block would keep ", bytes, " bytes in shared memory");
}

void run(const BatchNormTrain& op, Workspace /*workspace*/, Stream& stream) {
  const ClusterRows over = ClusterRows::of(Rows::of(Channels::of(op.x)));
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto kernel = op.residual ? train_cluster<T, true> : train_cluster<T, false>;
    launch_clusters(kernel, {over.grid(), over.block(), over.shared_bytes<T>(), stream},
                    {1, ClusterRows::blocks, 1}, Affine<T>::of(op, op.inverse_std.as<float>()),
                    Statistics::of(op), over);
  });
}

}  // namespace

void register_batch_norm_cluster(Registry& registry) {
  add<BatchNormTrain>(
      registry, {.name = "cuda/cluster", .accepts = accepts, .run = run, .caveat = not_yet_run});
}

}  // namespace burin::cuda
