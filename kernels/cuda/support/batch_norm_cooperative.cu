// The rung `cooperative` of batch_norm.cu: training's forward pass in one launch whose blocks wait
// for each other (batch_norm_cooperative.h).
#include "burin/kernels/cuda/support/batch_norm_cooperative.h"

#include <map>

#include "burin/kernels/cuda/support/batch_norm.h"

namespace burin::cuda {
namespace {

template <class T>
auto* kernel_for(const BatchNormTrain& op) {
  return op.residual ? train_cooperative<T, true> : train_cooperative<T, false>;
}

/// Blocks that a stream's device holds, each with the most shared memory it can have, by kernel.
/// The driver is asked once: a call needs it three times.
struct BlocksHeld {
  static constexpr std::string_view name = "cuda blocks held";
  std::map<const void*, int> of;
};

CooperativeRows rows_of(const BatchNormTrain& op, Stream& stream) {
  const int most = shared_bytes_of(stream.device());
  return visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* const kernel = kernel_for<T>(op);
    int& resident = stream.state<BlocksHeld>().of[reinterpret_cast<const void*>(kernel)];
    if (resident == 0) resident = resident_blocks(kernel, row_threads, most, stream.device());
    return CooperativeRows::of<T>(Rows::of(Channels::of(op.x)), resident, most);
  });
}

Refusal accepts(const BatchNormTrain& op, const Context& context) {
  if (Refusal refusal = refuse_forward<true>(op); !refusal.empty()) return refusal;
  const CooperativeRows how = rows_of(op, context.stream);
  return how.fits() ? ""
                    : str(op.x.dim(1), " channels need more than ", how.resident,
                          " blocks, more than there are at the same time");
}

size_t workspace_bytes(const BatchNormTrain& op, const Context& context) {
  return Workspace::room_for<double>(rows_of(op, context.stream).over.sums()) +
         Workspace::room_for<float>(static_cast<size_t>(op.x.dim(1)));
}

void run(const BatchNormTrain& op, Workspace workspace, Stream& stream) {
  const CooperativeRows how = rows_of(op, stream);
  auto* const sums = workspace.take<double>(how.over.sums());
  auto* const shift = workspace.take<float>(static_cast<size_t>(op.x.dim(1)));
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_cooperative(kernel_for<T>(op), {how.over.grid, how.over.block, how.shared_bytes, stream},
                       Affine<T>::of(op, op.inverse_std.as<float>()), sums, shift,
                       Statistics::of(op), Rows::of(Channels::of(op.x)), how.kept_end);
  });
}

}  // namespace

void register_batch_norm_cooperative(Registry& registry) {
  add<BatchNormTrain>(registry, {.name = "cuda/cooperative",
                                 .accepts = accepts,
                                 .workspace_bytes = workspace_bytes,
                                 .run = run,
                                 .caveat = not_yet_run});
}

}  // namespace burin::cuda
