// Matrix product by oneDNN. A second operand with a key (a layer's weight) is kept in the layout
// oneDNN chooses for it.
#include "burin/kernels/matmul.h"

#include "burin/kernels/onednn/support/packed_weights.h"
#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/onednn/support/post_ops.h"
#include "burin/kernels/onednn/support/relu.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;

struct MatmulPlan {
  static constexpr std::string_view name = "onednn matmul";
  Refusal refusal;
  dnnl::matmul primitive;
  Desc a, b, b_used, y, bias, scratchpad;
};

/// The bias [N] as oneDNN broadcasts it: [1, N] or [1, 1, N].
Desc bias_descriptor(const ConstView& bias, int rank) {
  dnnl::memory::dims dims(static_cast<size_t>(rank), 1),
      strides(static_cast<size_t>(rank), bias.dim(0));
  dims.back() = bias.dim(0);
  strides.back() = 1;
  return {dims, data_type(bias.dtype), strides};
}

/// A matrix of one row or column may carry any stride there; oneDNN wants one that fits.
Desc matrix_descriptor(const ConstView& view) {
  const dnnl::memory::dims dims(view.shape.begin(), view.shape.end());
  dnnl::memory::dims strides(view.strides.begin(), view.strides.end());
  const size_t rows = dims.size() - 2, columns = rows + 1;
  if (dims[columns] == 1 && strides[rows] != 1) strides[columns] = 1;
  if (dims[rows] == 1 && strides[columns] == 1) strides[rows] = dims[columns];
  return {dims, data_type(view.dtype), strides};
}

MatmulPlan& plan_of(const Matmul& op, Stream& stream) {
  ProblemKey key;
  key.add(op.a).add(op.b).add(op.y).add(op.b.key ? 1 : 0);
  add_to_key(key, op.epilogue);
  return plan_for<MatmulPlan>(stream, key, [&](MatmulPlan& plan, const Handle& handle) {
    plan.a = matrix_descriptor(op.a);
    plan.b = matrix_descriptor(op.b);
    plan.y = matrix_descriptor(op.y);
    if (op.epilogue.bias) plan.bias = bias_descriptor(op.epilogue.bias, op.y.rank());
    const Desc any{plan.b.dims(), plan.b.data_type(), dnnl::memory::format_tag::any};
    dnnl::primitive_attr attributes = user_scratchpad();
    attributes.set_post_ops(post_ops_of(op.epilogue, plan.y));
    const dnnl::matmul::primitive_desc made({plan.a, op.b.key ? any : plan.b, plan.bias, plan.y},
                                            attributes, handle.engine);
    plan.refusal = refuse_reference(made.impl_info_str());
    if (!plan.refusal.empty()) return;
    plan.b_used = made.weights_desc();
    plan.scratchpad = made.scratchpad_desc();
    plan.primitive = dnnl::matmul(made);
  });
}

Refusal accepts(const Matmul& op, const Context& context) {
  if (op.b.dtype != op.a.dtype) return str("a is ", op.a.dtype, ", b is ", op.b.dtype);
  if (Refusal refusal = refuse_epilogue(op.epilogue, op.y); !refusal.empty()) return refusal;
  const Refusal refusal = refuse_dtype(op.a.dtype);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

size_t workspace_bytes(const Matmul& op, const Context& context) {
  const MatmulPlan& plan = plan_of(op, context.stream);
  return room_for(plan.scratchpad) + packing_bytes(op.b, plan.b, plan.b_used);
}

void matmul(const Matmul& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const MatmulPlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    const dnnl::memory b = packed(stream, op.b, plan.b, plan.b_used, workspace);
    Arguments arguments{{DNNL_ARG_SRC, wrap(handle, plan.a, op.a.data)},
                        {DNNL_ARG_WEIGHTS, b},
                        {DNNL_ARG_DST, wrap(handle, plan.y, op.y.data)},
                        {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}};
    add_arguments(arguments, handle, op.epilogue, plan.bias, plan.y);
    plan.primitive.execute(handle.stream, arguments);
    if (op.epilogue.activation == Activation::relu) relu_in_place(op.y);
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_matmul(Registry& registry) {
  registry.add<Matmul>({.name = "onednn",
                        .place = place::vendor,
                        .accepts = onednn::accepts,
                        .workspace_bytes = onednn::workspace_bytes,
                        .run = onednn::matmul});
}

}  // namespace burin
