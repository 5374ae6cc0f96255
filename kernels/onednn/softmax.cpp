// The gradient of softmax by oneDNN. Of its forward pass nothing is taken: beside a NaN or an
// infinity it writes 0 where the whole row is NaN, to 16 bits it rounds twice, and its logarithm is
// 1.4e-6 off where there is one class, whose log probability is 0.
#include "burin/kernels/softmax.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::softmax_v2_forward;
using Backward = dnnl::softmax_v2_backward;

struct Plan {
  static constexpr std::string_view name = "onednn softmax_backward";
  Refusal refusal;
  dnnl::primitive primitive;
  Desc rows, scratchpad;
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

Plan& plan_of(const SoftmaxBackward& op, Stream& stream) {
  const ProblemKey key = ProblemKey().add(op.dy);
  return plan_for<Plan>(stream, key, [&](Plan& plan, const Handle& handle) {
    plan.rows = rows_of(op.dy);
    const Backward::primitive_desc made({algorithm, plan.rows, plan.rows, plan.rows, 1},
                                        user_scratchpad(), handle.engine,
                                        forward_desc(handle, plan.rows));
    plan.refusal = refuse_reference(made.impl_info_str());
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = Backward(made);
  });
}

Refusal accepts(const SoftmaxBackward& op, const Context& context) {
  if (op.y.rank() != 2 || !op.y.is_contiguous()) return "only contiguous [rows, C]";
  if (op.log) return "oneDNN's logarithm is off by more than 1e-6";
  const Refusal refusal = refuse_dtype(op.y.dtype);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

size_t workspace_bytes(const SoftmaxBackward& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
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
  registry.add<SoftmaxBackward>({.name = "onednn",
                                 .place = place::vendor,
                                 .accepts = onednn::accepts,
                                 .workspace_bytes = onednn::workspace_bytes,
                                 .run = onednn::backward});
}

}  // namespace burin
