// Sums, differences, products and quotients by oneDNN's binary primitive. The unary functions stay
// with the handwritten family: oneDNN's exp and log are approximations for activations.
#include "burin/kernels/elementwise.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct BinaryPlan {
  static constexpr std::string_view name = "onednn binary";
  Refusal refusal;
  dnnl::binary primitive;
  Desc a, b, y, scratchpad;
};

dnnl::algorithm algorithm_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::add:
      return dnnl::algorithm::binary_add;
    case BinaryKind::subtract:
      return dnnl::algorithm::binary_sub;
    case BinaryKind::multiply:
      return dnnl::algorithm::binary_mul;
    case BinaryKind::divide:
      return dnnl::algorithm::binary_div;
    default:
      return dnnl::algorithm::undef;  // refused
  }
}

BinaryPlan& plan_of(const ElementwiseBinary& op, Stream& stream) {
  ProblemKey key;
  key.add(static_cast<int>(op.kind)).add(op.a).add(op.b).add(op.y);
  return plan_for<BinaryPlan>(stream, key, [&](BinaryPlan& plan, const Handle& handle) {
    plan.a = descriptor(op.a);
    plan.b = descriptor(op.b);
    plan.y = descriptor(op.y);
    const dnnl::binary::primitive_desc made({algorithm_of(op.kind), plan.a, plan.b, plan.y},
                                            user_scratchpad(), handle.engine);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::binary(made);
  });
}

/// Whether elements of another tensor lie between those of the view: a slice's.
bool has_gaps(const ConstView& view) {
  int64_t last = 0, elements = 1;
  for (int i = 0; i < view.rank(); ++i) {
    if (view.strides[i] == 0) continue;  // stretched
    last += (view.dim(i) - 1) * view.strides[i];
    elements *= view.dim(i);
  }
  return last + 1 != elements;
}

Refusal accepts(const ElementwiseBinary& op, const Context& context) {
  if (Refusal refusal = refuse_dtype(op.a.dtype); !refusal.empty()) return refusal;
  if (op.kind == BinaryKind::maximum || op.kind == BinaryKind::minimum) {
    return "oneDNN's maximum and minimum do not yield NaN where a is NaN";
  }
  if (op.y.rank() == 0 || op.y.numel() == 0) return "oneDNN has no scalars and no empty tensors";
  if (op.a.shape != op.y.shape) return "oneDNN stretches the second operand only";
  // Seen with 2.6: [1, 6, 6] of [1, 9, 6].
  if (has_gaps(op.a) || has_gaps(op.b) || has_gaps(op.y)) {
    return "of some slices oneDNN reads the wrong elements";
  }
  return plan_of(op, context.stream).refusal;
}

size_t workspace_bytes(const ElementwiseBinary& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void run(const ElementwiseBinary& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const BinaryPlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC_0, wrap(handle, plan.a, op.a.data)},
                            {DNNL_ARG_SRC_1, wrap(handle, plan.b, op.b.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.y, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_elementwise(Registry& registry) {
  registry.add<ElementwiseBinary>({.name = "onednn",
                                   .place = place::vendor,
                                   .accepts = onednn::accepts,
                                   .workspace_bytes = onednn::workspace_bytes,
                                   .run = onednn::run});
}

}  // namespace burin
