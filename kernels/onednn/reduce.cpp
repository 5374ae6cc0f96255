// Sums, means and sums of squares by oneDNN's reduction primitive.
#include "burin/kernels/reduce.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct ReducePlan {
  static constexpr std::string_view name = "onednn reduce";
  Refusal refusal;
  dnnl::reduction primitive;
  Desc x, y, scratchpad;
};

dnnl::algorithm algorithm_of(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::sum:
      return dnnl::algorithm::reduction_sum;
    case ReduceKind::mean:
      return dnnl::algorithm::reduction_mean;
    case ReduceKind::sum_of_squares:
      return dnnl::algorithm::reduction_norm_lp_power_p_sum;
    case ReduceKind::max:
      break;  // refused
  }
  return dnnl::algorithm::undef;
}

ReducePlan& plan_of(const Reduce& op, Stream& stream) {
  ProblemKey key;
  key.add(static_cast<int>(op.kind)).add(op.x).add(op.y);
  return plan_for<ReducePlan>(stream, key, [&](ReducePlan& plan, const Handle& handle) {
    plan.x = descriptor(op.x);
    plan.y = descriptor(op.y);
    const dnnl::reduction::desc description(algorithm_of(op.kind), plan.x, plan.y, 2.0f, 0.0f);
    const dnnl::reduction::primitive_desc made(description, user_scratchpad(), handle.engine);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::reduction(made);
  });
}

// oneDNN adds in as many f32 as a vector has, one after another: the error of longer sums passes
// what the contract allows.
constexpr int64_t longest_sum = 4096;

Refusal accepts(const Reduce& op, const Context& context) {
  if (Refusal refusal = refuse_dtype(op.x.dtype); !refusal.empty()) return refusal;
  if (op.kind == ReduceKind::max) return "oneDNN's max loses NaN";
  if (op.x.rank() == 0 || op.x.numel() == 0) return "oneDNN has no scalars and no empty tensors";
  if (op.x.shape == op.y.shape) return "nothing is reduced";
  if (op.x.numel() / op.y.numel() > longest_sum) {
    return str("oneDNN does not add sums of more than ", longest_sum, " by parts");
  }
  return plan_of(op, context.stream).refusal;
}

size_t workspace_bytes(const Reduce& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void run(const Reduce& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const ReducePlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.x, op.x.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.y, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_reduce(Registry& registry) {
  registry.add<Reduce>({.name = "onednn",
                        .place = place::vendor,
                        .accepts = onednn::accepts,
                        .workspace_bytes = onednn::workspace_bytes,
                        .run = onednn::run});
}

}  // namespace burin
