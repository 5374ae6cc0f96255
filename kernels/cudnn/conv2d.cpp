// Convolution through cuDNN's graph API: one graph per problem, the epilogue fused into it. Images
// keep the layout they have; filters [K, C, R, S] keep their strides.
#include "burin/kernels/conv2d.h"

#include "burin/kernels/cudnn/support/family.h"
#include "burin/kernels/cudnn/support/plan.h"

namespace burin::cudnn {
namespace {

enum : TensorId { id_x, id_w, id_y, id_bias, id_residual, id_sum, id_biased, id_added };

Descriptor geometry(const Conv2dParams& p) {
  Descriptor descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  return descriptor.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {p.pad_h, p.pad_w})
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {p.pad_h, p.pad_w})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, {p.dilation_h, p.dilation_w})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {p.stride_h, p.stride_w})
      .finalize();
}

ProblemKey& add_params(ProblemKey& key, const Conv2dParams& p) {
  for (const int64_t number :
       {p.stride_h, p.stride_w, p.pad_h, p.pad_w, p.dilation_h, p.dilation_w, p.groups}) {
    key.add(number);
  }
  return key;
}

cudnnPointwiseMode_t mode_of(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return CUDNN_POINTWISE_RELU_FWD;
    case Activation::gelu:
      return CUDNN_POINTWISE_GELU_FWD;
    case Activation::gelu_tanh:
      return CUDNN_POINTWISE_GELU_APPROX_TANH_FWD;
    case Activation::sigmoid:
      return CUDNN_POINTWISE_SIGMOID_FWD;
    case Activation::none:
      return CUDNN_POINTWISE_IDENTITY;
  }
  fail("cudnn: an unknown activation");
}

ConstView bias_like_image(const ConstView& bias) {
  return ConstView::dense(bias.data, DType::f32, {1, bias.dim(0), 1, 1}, Layout::nhwc);
}

Descriptor forward_operation(const Conv2dForward& op, const Descriptor& y) {
  Descriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  return operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, geometry(op.params))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, tensor(id_x, op.x))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, tensor(id_w, op.w))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1.0f)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0.0f)
      .finalize();
}

/// conv → + bias → + residual → activation: each stage writes y if it is the last, else a tensor
/// that never reaches memory.
std::vector<Descriptor> forward_graph(const Conv2dForward& op) {
  const Epilogue& tail = op.epilogue;
  const ConstView y_view = op.y;
  const Descriptor y = tensor(id_y, y_view);
  const bool activates = tail.activation != Activation::none;
  const bool adds = static_cast<bool>(tail.residual), biases = static_cast<bool>(tail.bias);
  std::vector<Descriptor> graph;

  Descriptor last = tail.empty() ? y : between(id_sum, y_view);
  graph.push_back(forward_operation(op, last));
  if (biases) {
    const Descriptor next = adds || activates ? between(id_biased, y_view) : y;
    graph.push_back(
        pointwise(CUDNN_POINTWISE_ADD, last, tensor(id_bias, bias_like_image(tail.bias)), next));
    last = next;
  }
  if (adds) {
    const Descriptor next = activates ? between(id_added, y_view) : y;
    graph.push_back(pointwise(CUDNN_POINTWISE_ADD, last, tensor(id_residual, tail.residual), next));
    last = next;
  }
  if (activates) graph.push_back(pointwise(mode_of(tail.activation), last, y));
  return graph;
}

Plan& plan_of(const Conv2dForward& op, const Context& context) {
  ProblemKey key(Conv2dForward::name);
  key.add(op.x).add(op.w).add(op.y).add(op.epilogue.bias).add(op.epilogue.residual);
  add_params(key, op.params).add(static_cast<int64_t>(op.epilogue.activation));
  return plan_for(context.stream, key, rules_of(op.x.dtype), [&] { return forward_graph(op); });
}

Descriptor backward_data_operation(const Conv2dBackwardData& op, const Descriptor& dx) {
  Descriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
  return operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, geometry(op.params))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, tensor(id_w, op.w))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, tensor(id_y, op.dy))
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1.0f)
      .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0.0f)
      .finalize();
}

/// conv → + residual.
std::vector<Descriptor> backward_data_graph(const Conv2dBackwardData& op) {
  const ConstView dx_view = op.dx;
  const Descriptor dx = tensor(id_x, dx_view);
  if (!op.residual) return {backward_data_operation(op, dx)};
  const Descriptor sum = between(id_sum, dx_view);
  return {backward_data_operation(op, sum),
          pointwise(CUDNN_POINTWISE_ADD, sum, tensor(id_residual, op.residual), dx)};
}

Plan& plan_of(const Conv2dBackwardData& op, const Context& context) {
  ProblemKey key(Conv2dBackwardData::name);
  add_params(key.add(op.dy).add(op.w).add(op.dx).add(op.residual), op.params);
  return plan_for(context.stream, key, rules_of(op.dy.dtype),
                  [&] { return backward_data_graph(op); });
}

Plan& plan_of(const Conv2dBackwardWeight& op, const Context& context) {
  ProblemKey key(Conv2dBackwardWeight::name);
  add_params(key.add(op.dy).add(op.x).add(op.dw), op.params);
  return plan_for(context.stream, key, rules_of(op.dy.dtype), [&] {
    Descriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, geometry(op.params))
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, tensor(id_x, op.x))
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, tensor(id_w, op.dw))
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, tensor(id_y, op.dy))
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1.0f)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0.0f)
        .finalize();
    return std::vector<Descriptor>{operation};
  });
}

/// Why three operands can't go to cuDNN whatever their plan, or empty.
Refusal refuse_operands(const ConstView& a, const ConstView& b, const ConstView& c) {
  for (const ConstView* view : {&a, &b, &c}) {
    if (Refusal refusal = refuse_view(*view); !refusal.empty()) return refusal;
    if (!is_aligned(*view)) return "an operand does not begin at 16 bytes";
  }
  return a.dtype == b.dtype ? "" : str("dtypes ", a.dtype, " and ", b.dtype);
}

/// What rides along promises cuDNN as much as the operands do.
Refusal refuse_misaligned(const ConstView& bias, const ConstView& residual) {
  if (!is_aligned(bias)) return "the bias does not begin at 16 bytes";
  return is_aligned(residual) ? "" : "the residual does not begin at 16 bytes";
}

Refusal accepts_forward(const Conv2dForward& op, const Context& context) {
  // Its approximation of tanh is off by more than the rounding of what is stored.
  if (op.epilogue.activation == Activation::gelu_tanh) return "activation gelu_tanh";
  if (Refusal refusal = refuse_operands(op.x, op.w, op.y); !refusal.empty()) return refusal;
  Refusal refusal = refuse_misaligned(op.epilogue.bias, op.epilogue.residual);
  if (!refusal.empty()) return refusal;
  return plan_of(op, context).refusal;
}
/// Engines for nchw that were seen to be off by up to twice the tolerance (H200, cuDNN 9), without
/// saying so in their notes.
Refusal refuse_inexact(const ConstView& image, DType inexact) {
  const bool refused = image.dtype == inexact && !image.is_dense(Layout::nhwc);
  return refused ? str("in nchw its sums of ", inexact, " lose digits") : "";
}

Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& context) {
  if (Refusal refusal = refuse_inexact(op.dy, DType::f16); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_operands(op.dy, op.w, op.dx); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_misaligned({}, op.residual); !refusal.empty()) return refusal;
  return plan_of(op, context).refusal;
}
Refusal accepts_backward_weight(const Conv2dBackwardWeight& op, const Context& context) {
  if (Refusal refusal = refuse_inexact(op.x, DType::f32); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_operands(op.dy, op.x, op.dw); !refusal.empty()) return refusal;
  return plan_of(op, context).refusal;
}

template <class Op>
size_t workspace_bytes(const Op& op, const Context& context) {
  return plan_of(op, context).workspace_bytes();
}

void forward(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  std::vector<std::pair<TensorId, const void*>> operands = {
      {id_x, op.x.data}, {id_w, op.w.data}, {id_y, op.y.data}};
  if (op.epilogue.bias) operands.emplace_back(id_bias, op.epilogue.bias.data);
  if (op.epilogue.residual) operands.emplace_back(id_residual, op.epilogue.residual.data);
  plan_of(op, Context{stream}).run(handle_of(stream), stream, operands, workspace);
}

void backward_data(const Conv2dBackwardData& op, Workspace workspace, Stream& stream) {
  std::vector<std::pair<TensorId, const void*>> operands = {
      {id_w, op.w.data}, {id_x, op.dx.data}, {id_y, op.dy.data}};
  if (op.residual) operands.emplace_back(id_residual, op.residual.data);
  plan_of(op, Context{stream}).run(handle_of(stream), stream, operands, workspace);
}

void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
  plan_of(op, Context{stream})
      .run(handle_of(stream), stream, {{id_x, op.x.data}, {id_w, op.dw.data}, {id_y, op.dy.data}},
           workspace);
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_conv2d(Registry& registry) {
  cudnn::add<Conv2dForward>(registry, {.name = "cudnn",
                                       .place = place::vendor,
                                       .accepts = cudnn::accepts_forward,
                                       .workspace_bytes = cudnn::workspace_bytes<Conv2dForward>,
                                       .run = cudnn::forward});
  cudnn::add<Conv2dBackwardData>(registry,
                                 {.name = "cudnn",
                                  .place = place::vendor,
                                  .accepts = cudnn::accepts_backward_data,
                                  .workspace_bytes = cudnn::workspace_bytes<Conv2dBackwardData>,
                                  .run = cudnn::backward_data});
  cudnn::add<Conv2dBackwardWeight>(registry,
                                   {.name = "cudnn",
                                    .place = place::vendor,
                                    .accepts = cudnn::accepts_backward_weight,
                                    .workspace_bytes = cudnn::workspace_bytes<Conv2dBackwardWeight>,
                                    .run = cudnn::backward_weight});
}

}  // namespace burin
