// Activations by oneDNN's eltwise primitive. Tensors are dense and pointwise work knows no shape,
// so each problem is one flat row.
#include "burin/kernels/activation.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/onednn/support/post_ops.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct ForwardPlan {
  static constexpr std::string_view name = "onednn activation forward";
  Refusal refusal;
  dnnl::eltwise_forward primitive;
  Desc data, scratchpad;
};

struct BackwardPlan {
  static constexpr std::string_view name = "onednn activation backward";
  Refusal refusal;
  dnnl::eltwise_backward primitive;
  Desc data, scratchpad;
};

Desc flat_descriptor(const ConstView& view) {
  return {{view.numel()}, data_type(view.dtype), dnnl::memory::format_tag::a};
}

/// The algorithm of the derivative, as written in what the contract saves.
dnnl::algorithm backward_algorithm_of(Activation activation) {
  using dnnl::algorithm;
  if (activation == Activation::sigmoid) return algorithm::eltwise_logistic_use_dst_for_bwd;
  return algorithm_of(activation);
}

ForwardPlan& plan_of(const ActivationForward& op, Stream& stream) {
  ProblemKey key;
  key.add(static_cast<int>(op.activation)).add(static_cast<int>(op.x.dtype)).add(op.x.numel());
  return plan_for<ForwardPlan>(stream, key, [&](ForwardPlan& plan, const Handle& handle) {
    plan.data = flat_descriptor(op.x);
    const dnnl::eltwise_forward::desc description(
        dnnl::prop_kind::forward_inference, algorithm_of(op.activation), plan.data, 0.0f, 0.0f);
    const dnnl::eltwise_forward::primitive_desc made(description, user_scratchpad(), handle.engine);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::eltwise_forward(made);
  });
}

BackwardPlan& plan_of(const ActivationBackward& op, Stream& stream) {
  ProblemKey key;
  key.add(static_cast<int>(op.activation)).add(static_cast<int>(op.dy.dtype)).add(op.dy.numel());
  return plan_for<BackwardPlan>(stream, key, [&](BackwardPlan& plan, const Handle& handle) {
    plan.data = flat_descriptor(op.dy);
    const dnnl::algorithm algorithm = backward_algorithm_of(op.activation);
    const dnnl::eltwise_forward::primitive_desc hint(
        {dnnl::prop_kind::forward_training, algorithm, plan.data, 0.0f, 0.0f}, handle.engine);
    const dnnl::eltwise_backward::desc description(algorithm, plan.data, plan.data, 0.0f, 0.0f);
    const dnnl::eltwise_backward::primitive_desc made(description, user_scratchpad(), handle.engine,
                                                      hint);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::eltwise_backward(made);
  });
}

/// What does not depend on a plan.
Refusal refuse(Activation activation, const ConstView& x) {
  if (activation == Activation::none) return "a copy is no activation of oneDNN's";
  if (x.numel() == 0) return "there is nothing to do";
  return refuse_dtype(x.dtype);
}

Refusal accepts_forward(const ActivationForward& op, const Context& context) {
  if (!same_dense_order(op.x, op.y)) return "x and y are not dense in one layout";
  if (op.activation == Activation::relu) return "oneDNN's ReLU turns NaN into 0";
  const Refusal refusal = refuse(op.activation, op.x);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

Refusal accepts_backward(const ActivationBackward& op, const Context& context) {
  if (!same_dense_order(op.dy, op.dx) || !same_dense_order(op.dy, op.saved)) {
    return "dy, saved and dx are not dense in one layout";
  }
  if (op.activation == Activation::relu) {
    return "oneDNN's ReLU multiplies an infinite gradient by 0";
  }
  if (op.activation == Activation::gelu_tanh) {
    return "oneDNN's slope loses digits where it is small";
  }
  const Refusal refusal = refuse(op.activation, op.dy);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

template <class Op>
size_t workspace_bytes(const Op& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void forward(const ActivationForward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const ForwardPlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.data, op.x.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.data, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

void backward(const ActivationBackward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const BackwardPlan& plan = plan_of(op, stream);
  const int saved = op.activation == Activation::sigmoid ? DNNL_ARG_DST : DNNL_ARG_SRC;
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{saved, wrap(handle, plan.data, op.saved.data)},
                            {DNNL_ARG_DIFF_DST, wrap(handle, plan.data, op.dy.data)},
                            {DNNL_ARG_DIFF_SRC, wrap(handle, plan.data, op.dx.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_activation(Registry& registry) {
  registry.add<ActivationForward>({.name = "onednn",
                                   .place = place::vendor,
                                   .accepts = onednn::accepts_forward,
                                   .workspace_bytes = onednn::workspace_bytes,
                                   .run = onednn::forward});
  registry.add<ActivationBackward>({.name = "onednn",
                                    .place = place::vendor,
                                    .accepts = onednn::accepts_backward,
                                    .workspace_bytes = onednn::workspace_bytes,
                                    .run = onednn::backward});
}

}  // namespace burin
