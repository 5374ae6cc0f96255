// Convolution by oneDNN, three directions. oneDNN chooses the layout of the weights, images stay as
// they lie; weights with a key are kept in that layout from call to call.
#include "burin/kernels/conv2d.h"

#include "burin/kernels/onednn/support/packed_weights.h"
#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/onednn/support/post_ops.h"
#include "burin/kernels/onednn/support/relu.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

/// One direction's primitive and the memory it wants.
struct Plan {
  Refusal refusal;
  dnnl::primitive primitive;
  Desc image_in;      // x, or dy
  Desc weights;       // as the caller has them
  Desc weights_used;  // as oneDNN wants them
  Desc image_out;     // y, dx, or the second image of the weight gradient
  Desc bias;
  Desc scratchpad;
};
struct ForwardPlan : Plan {
  static constexpr std::string_view name = "onednn conv2d_forward";
};
struct BackwardDataPlan : Plan {
  static constexpr std::string_view name = "onednn conv2d_backward_data";
};
struct BackwardWeightPlan : Plan {
  static constexpr std::string_view name = "onednn conv2d_backward_weight";
};

/// Conv2dParams in oneDNN's words: a dilation of 0 is none.
struct Geometry {
  dnnl::memory::dims strides, dilates, pads;

  explicit Geometry(const Conv2dParams& p)
      : strides{p.stride_h, p.stride_w},
        dilates{p.dilation_h - 1, p.dilation_w - 1},
        pads{p.pad_h, p.pad_w} {}
};

/// The weights [K, C / groups, R, S], with groups as [groups, K / groups, C / groups, R, S].
Desc weights_descriptor(const ConstView& w, int64_t groups) {
  if (groups == 1) return descriptor(w);
  const dnnl::memory::dims dims{groups, w.dim(0) / groups, w.dim(1), w.dim(2), w.dim(3)};
  const Strides& s = w.strides;
  return {dims, data_type(w.dtype), dnnl::memory::dims{dims[1] * s[0], s[0], s[1], s[2], s[3]}};
}

/// The same in the layout oneDNN likes best.
Desc any_layout(const Desc& desc) {
  return {desc.dims(), desc.data_type(), dnnl::memory::format_tag::any};
}

ProblemKey key_of(const ConstView& a, const ConstView& b, const ConstView& c,
                  const Conv2dParams& p) {
  ProblemKey key;
  key.add(a).add(b).add(c).add(p.stride_h).add(p.stride_w).add(p.pad_h).add(p.pad_w);
  return key.add(p.dilation_h).add(p.dilation_w).add(p.groups);
}

/// Without an epilogue, and without asking for a fast algorithm: what both gradients are told the
/// forward pass was.
dnnl::convolution_forward::primitive_desc forward_hint(const Handle& handle, const Desc& x,
                                                       const Desc& w, const Desc& y,
                                                       const Geometry& g) {
  return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, x, w, y,
           g.strides, g.dilates, g.pads, g.pads},
          handle.engine};
}

ForwardPlan& plan_of(const Conv2dForward& op, Stream& stream) {
  ProblemKey key = key_of(op.x, op.w, op.y, op.params);
  add_to_key(key, op.epilogue);
  return plan_for<ForwardPlan>(stream, key, [&](ForwardPlan& plan, const Handle& handle) {
    const Geometry g(op.params);
    plan.image_in = descriptor(op.x);
    plan.weights = weights_descriptor(op.w, op.params.groups);
    plan.image_out = descriptor(op.y);
    if (op.epilogue.bias) plan.bias = descriptor(op.epilogue.bias);
    dnnl::primitive_attr attributes = user_scratchpad();
    attributes.set_post_ops(post_ops_of(op.epilogue, plan.image_out));
    const dnnl::convolution_forward::primitive_desc made(
        {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, plan.image_in,
         any_layout(plan.weights), plan.bias, plan.image_out, g.strides, g.dilates, g.pads, g.pads},
        attributes, handle.engine);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.weights_used = made.weights_desc();
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::convolution_forward(made);
  });
}

BackwardDataPlan& plan_of(const Conv2dBackwardData& op, Stream& stream) {
  const ProblemKey key = key_of(op.dy, op.w, op.dx, op.params);
  return plan_for<BackwardDataPlan>(stream, key, [&](BackwardDataPlan& plan, const Handle& handle) {
    const Geometry g(op.params);
    plan.image_in = descriptor(op.dy);
    plan.weights = weights_descriptor(op.w, op.params.groups);
    plan.image_out = descriptor(op.dx);
    const Desc any = any_layout(plan.weights);
    const dnnl::convolution_backward_data::primitive_desc made(
        {dnnl::algorithm::convolution_direct, plan.image_out, any, plan.image_in, g.strides,
         g.dilates, g.pads, g.pads},
        user_scratchpad(), handle.engine,
        forward_hint(handle, plan.image_out, any, plan.image_in, g));
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.weights_used = made.weights_desc();
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::convolution_backward_data(made);
  });
}

BackwardWeightPlan& plan_of(const Conv2dBackwardWeight& op, Stream& stream) {
  const ProblemKey key = key_of(op.dy, op.dw, op.x, op.params);
  return plan_for<
      BackwardWeightPlan>(stream, key, [&](BackwardWeightPlan& plan, const Handle& handle) {
    const Geometry g(op.params);
    plan.image_in = descriptor(op.dy);
    plan.weights = weights_descriptor(op.dw, op.params.groups);
    plan.image_out = descriptor(op.x);
    const Desc any = any_layout(plan.weights);
    const Desc any_of_image{any.dims(), plan.image_in.data_type(), dnnl::memory::format_tag::any};
    const dnnl::convolution_backward_weights::primitive_desc made(
        {dnnl::algorithm::convolution_direct, plan.image_out, any, plan.image_in, g.strides,
         g.dilates, g.pads, g.pads},
        user_scratchpad(), handle.engine,
        forward_hint(handle, plan.image_out, any_of_image, plan.image_in, g));
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.weights_used = made.diff_weights_desc();
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::convolution_backward_weights(made);
  });
}

template <class Op>
Refusal accepts(const Op& op, DType dtype, const Context& context) {
  const Refusal refusal = refuse_dtype(dtype);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

/// Seen with 2.6, f32, nhwc: what it adds to an output that sees no pixel lies elsewhere.
bool outputs_see_no_pixel(const Conv2dForward& op) {
  const Conv2dParams& p = op.params;
  return p.pad_h > p.dilation_h * (op.w.dim(2) - 1) || p.pad_w > p.dilation_w * (op.w.dim(3) - 1);
}

Refusal accepts_forward(const Conv2dForward& op, const Context& context) {
  if (op.epilogue.residual && outputs_see_no_pixel(op)) {
    return "oneDNN adds another residual where a filter lies in the padding";
  }
  if (Refusal refusal = refuse_epilogue(op.epilogue, op.y); !refusal.empty()) return refusal;
  return accepts(op, op.x.dtype, context);
}

Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& context) {
  if (op.residual) return "oneDNN adds nothing to a gradient";
  return accepts(op, op.dy.dtype, context);
}

size_t forward_workspace(const Conv2dForward& op, const Context& context) {
  const Plan& plan = plan_of(op, context.stream);
  return room_for(plan.scratchpad) + packing_bytes(op.w, plan.weights, plan.weights_used);
}

void forward(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    Arguments arguments{
        {DNNL_ARG_SRC, wrap(handle, plan.image_in, op.x.data)},
        {DNNL_ARG_WEIGHTS, packed(stream, op.w, plan.weights, plan.weights_used, workspace)},
        {DNNL_ARG_DST, wrap(handle, plan.image_out, op.y.data)},
        {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}};
    add_arguments(arguments, handle, op.epilogue, plan.bias, plan.image_out);
    plan.primitive.execute(handle.stream, arguments);
    if (op.epilogue.activation == Activation::relu) relu_in_place(op.y);
  });
}

size_t backward_data_workspace(const Conv2dBackwardData& op, const Context& context) {
  const Plan& plan = plan_of(op, context.stream);
  return room_for(plan.scratchpad) + packing_bytes(op.w, plan.weights, plan.weights_used);
}

void backward_data(const Conv2dBackwardData& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(
        handle.stream,
        {{DNNL_ARG_DIFF_DST, wrap(handle, plan.image_in, op.dy.data)},
         {DNNL_ARG_WEIGHTS, packed(stream, op.w, plan.weights, plan.weights_used, workspace)},
         {DNNL_ARG_DIFF_SRC, wrap(handle, plan.image_out, op.dx.data)},
         {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

size_t backward_weight_workspace(const Conv2dBackwardWeight& op, const Context& context) {
  const Plan& plan = plan_of(op, context.stream);
  return room_for(plan.scratchpad) + packing_bytes(op.dw, plan.weights, plan.weights_used);
}

void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    dnnl::memory dw = wrap(handle, plan.weights, op.dw.data);
    dnnl::memory written = dw;
    if (plan.weights_used != plan.weights) written = take(handle, plan.weights_used, workspace);
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_DIFF_DST, wrap(handle, plan.image_in, op.dy.data)},
                            {DNNL_ARG_SRC, wrap(handle, plan.image_out, op.x.data)},
                            {DNNL_ARG_DIFF_WEIGHTS, written},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
    if (plan.weights_used != plan.weights) {
      dnnl::reorder(written, dw).execute(handle.stream, written, dw);
    }
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_conv2d(Registry& registry) {
  registry.add<Conv2dForward>({.name = "onednn",
                               .place = place::vendor,
                               .accepts = onednn::accepts_forward,
                               .workspace_bytes = onednn::forward_workspace,
                               .run = onednn::forward});
  registry.add<Conv2dBackwardData>({.name = "onednn",
                                    .place = place::vendor,
                                    .accepts = onednn::accepts_backward_data,
                                    .workspace_bytes = onednn::backward_data_workspace,
                                    .run = onednn::backward_data});
  registry.add<Conv2dBackwardWeight>(
      {.name = "onednn",
       .place = place::vendor,
       .accepts = [](const Conv2dBackwardWeight& op,
                     const Context& context) { return onednn::accepts(op, op.x.dtype, context); },
       .workspace_bytes = onednn::backward_weight_workspace,
       .run = onednn::backward_weight});
}

}  // namespace burin
