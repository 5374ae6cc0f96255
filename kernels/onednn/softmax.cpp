// Softmax by oneDNN. Its logarithm is refused: it is 1.4e-6 off where there is one class, whose log
// probability is 0.
#include "burin/kernels/softmax.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::softmax_v2_forward;
using Backward = dnnl::softmax_v2_backward;

struct Plan {
  Refusal refusal;
  dnnl::primitive primitive;
  Desc rows, scratchpad;
};
struct ForwardPlan : Plan {
  static constexpr std::string_view name = "onednn softmax_forward";
};
struct BackwardPlan : Plan {
  static constexpr std::string_view name = "onednn softmax_backward";
};

constexpr auto algorithm = dnnl::algorithm::softmax_accurate;

Desc rows_of(const ConstView& x) {
  return {{x.dim(0), x.dim(1)}, data_type(x.dtype), dnnl::memory::format_tag::ab};
}

Forward::primitive_desc forward_desc(const Handle& handle, const Desc& rows) {
  return {{dnnl::prop_kind::forward_training, algorithm, rows, rows, 1},
          user_scratchpad(),
          handle.engine};
}

template <class PrimitiveDesc, class Primitive>
void fill(Plan& plan, const PrimitiveDesc& made, const Desc& rows, const Primitive& primitive) {
  plan.refusal = refuse_reference(made.impl_info_str());
  plan.rows = rows;
  plan.scratchpad = made.scratchpad_desc();
  plan.primitive = primitive;
}

ForwardPlan& plan_of(const SoftmaxForward& op, Stream& stream) {
  const ProblemKey key = ProblemKey().add(op.x);
  return plan_for<ForwardPlan>(stream, key, [&](ForwardPlan& plan, const Handle& handle) {
    const auto made = forward_desc(handle, rows_of(op.x));
    fill(plan, made, rows_of(op.x), Forward(made));
  });
}

BackwardPlan& plan_of(const SoftmaxBackward& op, Stream& stream) {
  const ProblemKey key = ProblemKey().add(op.dy);
  return plan_for<BackwardPlan>(stream, key, [&](BackwardPlan& plan, const Handle& handle) {
    const Desc rows = rows_of(op.dy);
    const Backward::primitive_desc made({algorithm, rows, rows, rows, 1}, user_scratchpad(),
                                        handle.engine, forward_desc(handle, rows));
    fill(plan, made, rows, Backward(made));
  });
}

template <class Op>
Refusal accepts(const Op& op, const Context& context) {
  const auto& y = op.y;
  if (y.rank() != 2 || !y.is_contiguous()) return "only contiguous [rows, C]";
  if (op.log) return "oneDNN's logarithm is off by more than 1e-6";
  // Seen with AVX-512: it rounds what it has exponentiated before it divides, and again after.
  if constexpr (requires { op.x; }) {
    if (y.dtype != DType::f32) return str("oneDNN rounds twice to ", y.dtype);
  }
  const Refusal refusal = refuse_dtype(y.dtype);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

template <class Op>
size_t workspace_bytes(const Op& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void forward(const SoftmaxForward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.rows, op.x.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.rows, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

void backward(const SoftmaxBackward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_DST, wrap(handle, plan.rows, op.y.data)},
                            {DNNL_ARG_DIFF_DST, wrap(handle, plan.rows, op.dy.data)},
                            {DNNL_ARG_DIFF_SRC, wrap(handle, plan.rows, op.dx.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_softmax(Registry& registry) {
  registry.add<SoftmaxForward>({.name = "onednn",
                                .place = place::vendor,
                                .accepts = onednn::accepts<SoftmaxForward>,
                                .workspace_bytes = onednn::workspace_bytes<SoftmaxForward>,
                                .run = onednn::forward});
  registry.add<SoftmaxBackward>({.name = "onednn",
                                 .place = place::vendor,
                                 .accepts = onednn::accepts<SoftmaxBackward>,
                                 .workspace_bytes = onednn::workspace_bytes<SoftmaxBackward>,
                                 .run = onednn::backward});
}

}  // namespace burin
