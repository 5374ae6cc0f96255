#include "burin/kernels/concat.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/onednn/support/post_ops.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct ConcatPlan {
  static constexpr std::string_view name = "onednn concat";
  Refusal refusal;
  dnnl::concat primitive;
  std::vector<Desc> inputs;
  Desc y, scratchpad;
};

ConcatPlan& plan_of(const Concat& op, Stream& stream) {
  ProblemKey key;
  key.add(op.axis).add(op.y);
  for (const ConstView& input : op.inputs) key.add(input);
  return plan_for<ConcatPlan>(stream, key, [&](ConcatPlan& plan, const Handle& handle) {
    for (const ConstView& input : op.inputs) plan.inputs.push_back(descriptor(input));
    plan.y = descriptor(op.y);
    const dnnl::concat::primitive_desc made(plan.y, op.axis, plan.inputs, handle.engine,
                                            user_scratchpad());
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::concat(made);
  });
}

Refusal accepts(const Concat& op, const Context& context) {
  if (op.y.dtype == DType::i64 || op.y.dtype == DType::f16) return str("dtype ", op.y.dtype);
  if (op.inputs.empty()) return "there are no inputs";
  for (const ConstView& input : op.inputs) {
    if (input.numel() == 0) return "oneDNN has no empty tensors";
    if (input.dtype != op.y.dtype) return str("an input is ", input.dtype, ", y ", op.y.dtype);
  }
  return plan_of(op, context.stream).refusal;
}

size_t workspace_bytes(const Concat& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void run(const Concat& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const ConcatPlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    Arguments arguments{{DNNL_ARG_DST, wrap(handle, plan.y, op.y.data)},
                        {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}};
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      arguments.emplace(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i),
                        wrap(handle, plan.inputs[i], op.inputs[i].data));
    }
    plan.primitive.execute(handle.stream, arguments);
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_concat(Registry& registry) {
  registry.add<Concat>({.name = "onednn",
                        .place = place::vendor,
                        .accepts = onednn::accepts,
                        .workspace_bytes = onednn::workspace_bytes,
                        .run = onednn::run});
}

}  // namespace burin
