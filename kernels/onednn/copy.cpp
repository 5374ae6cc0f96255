// Changes of layout and casts by oneDNN's reorder primitive.
#include "burin/kernels/copy.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct CopyPlan {
  static constexpr std::string_view name = "onednn copy";
  Refusal refusal;
  dnnl::reorder primitive;
  Desc x, y, scratchpad;
};

CopyPlan& plan_of(const Copy& op, Stream& stream) {
  ProblemKey key;
  key.add(op.x).add(op.y);
  return plan_for<CopyPlan>(stream, key, [&](CopyPlan& plan, const Handle& handle) {
    plan.x = descriptor(op.x);
    plan.y = descriptor(op.y);
    const dnnl::reorder::primitive_desc made(handle.engine, plan.x, handle.engine, plan.y,
                                             user_scratchpad());
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::reorder(made);
  });
}

/// True if two elements of x share a place, or lie backwards: oneDNN's descriptors know neither.
bool is_broadcast_or_reversed(const ConstView& x) {
  for (int i = 0; i < x.rank(); ++i) {
    if (x.dim(i) > 1 && x.strides[i] <= 0) return true;
  }
  return false;
}

Refusal accepts(const Copy& op, const Context& context) {
  for (const DType dtype : {op.x.dtype, op.y.dtype}) {
    if (!is_floating(dtype)) return str("dtype ", dtype, ": oneDNN rounds where a cast truncates");
    if (Refusal refusal = refuse_dtype(dtype); !refusal.empty()) return refusal;
  }
  if (op.x.rank() == 0 || op.x.numel() == 0) return "oneDNN has no scalars and no empty tensors";
  if (is_broadcast_or_reversed(op.x)) return "oneDNN's reorder does not broadcast or reverse";
  return plan_of(op, context.stream).refusal;
}

size_t workspace_bytes(const Copy& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void run(const Copy& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const CopyPlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_FROM, wrap(handle, plan.x, op.x.data)},
                            {DNNL_ARG_TO, wrap(handle, plan.y, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_copy(Registry& registry) {
  registry.add<Copy>({.name = "onednn",
                      .place = place::vendor,
                      .accepts = onednn::accepts,
                      .workspace_bytes = onednn::workspace_bytes,
                      .run = onednn::run});
}

}  // namespace burin
