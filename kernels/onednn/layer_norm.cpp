// Layer normalisation by oneDNN. It keeps variances where the contract keeps inverse deviations:
// they are turned into each other, one a row.
#include "burin/kernels/layer_norm.h"

#include <bit>
#include <cmath>
#include <type_traits>

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::layer_normalization_forward;
using Backward = dnnl::layer_normalization_backward;

struct Plan {
  Refusal refusal;
  dnnl::primitive primitive;
  Desc rows, statistics, columns, scratchpad;
};
struct ForwardPlan : Plan {
  static constexpr std::string_view name = "onednn layer_norm_forward";
};
struct BackwardPlan : Plan {
  static constexpr std::string_view name = "onednn layer_norm_backward";
};

/// Backward is given 1 / inverse_std² as its variance: there is no ε left to add.
constexpr float no_epsilon = 1e-30f;

const auto weight_and_bias =
    dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;

Desc vector_of(int64_t count) {
  return {{count}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

Desc rows_of(const ConstView& x) {
  return {{x.dim(0), x.dim(1)}, data_type(x.dtype), dnnl::memory::format_tag::ab};
}

Forward::primitive_desc forward_desc(const Handle& handle, const ConstView& x, float epsilon) {
  return {{dnnl::prop_kind::forward_training, rows_of(x), vector_of(x.dim(0)), epsilon,
           weight_and_bias},
          user_scratchpad(),
          handle.engine};
}

template <class PrimitiveDesc, class Primitive>
void fill(Plan& plan, const PrimitiveDesc& made, const ConstView& x, const Primitive& primitive) {
  plan.refusal = refuse_reference(made.impl_info_str());
  plan.rows = rows_of(x);
  plan.statistics = vector_of(x.dim(0));
  plan.columns = vector_of(x.dim(1));
  plan.scratchpad = made.scratchpad_desc();
  plan.primitive = primitive;
}

ForwardPlan& plan_of(const LayerNormForward& op, Stream& stream) {
  const ProblemKey key = ProblemKey().add(op.x).add(std::bit_cast<int32_t>(op.epsilon));
  return plan_for<ForwardPlan>(stream, key, [&](ForwardPlan& plan, const Handle& handle) {
    const auto made = forward_desc(handle, op.x, op.epsilon);
    fill(plan, made, op.x, Forward(made));
  });
}

BackwardPlan& plan_of(const LayerNormBackward& op, Stream& stream) {
  const ProblemKey key = ProblemKey().add(op.x);
  return plan_for<BackwardPlan>(stream, key, [&](BackwardPlan& plan, const Handle& handle) {
    const Desc rows = rows_of(op.x);
    const Backward::primitive_desc made({dnnl::prop_kind::backward, rows, rows,
                                         vector_of(op.x.dim(0)), no_epsilon, weight_and_bias},
                                        user_scratchpad(), handle.engine,
                                        forward_desc(handle, op.x, no_epsilon));
    fill(plan, made, op.x, Backward(made));
  });
}

/// dweight and dbias are sums over the rows.
Refusal refuse_long_sums(int64_t rows) {
  constexpr int64_t most = 1024;
  return rows > most ? str("oneDNN sums the ", rows, " rows of a column in one float") : "";
}

template <class Op>
Refusal accepts(const Op& op, const Context& context) {
  const ConstView& x = op.x;
  if (x.rank() != 2 || !x.is_contiguous()) return "only contiguous [rows, C]";
  Refusal refusal = refuse_dtype(x.dtype);
  if (refusal.empty() && std::is_same_v<Op, LayerNormBackward>) {
    refusal = refuse_long_sums(x.dim(0));
  }
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

/// oneDNN's scratch memory and one variance a row.
template <class Op>
size_t workspace_bytes(const Op& op, const Context& context) {
  return Workspace::room_for<float>(static_cast<size_t>(op.x.dim(0))) +
         room_for(plan_of(op, context.stream).scratchpad);
}

void forward(const LayerNormForward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  const int64_t rows = op.x.dim(0);
  float* const variance = workspace.take<float>(static_cast<size_t>(rows));
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.rows, op.x.data)},
                            {DNNL_ARG_SCALE, wrap(handle, plan.columns, op.weight.data)},
                            {DNNL_ARG_SHIFT, wrap(handle, plan.columns, op.bias.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.rows, op.y.data)},
                            {DNNL_ARG_MEAN, wrap(handle, plan.statistics, op.mean.data)},
                            {DNNL_ARG_VARIANCE, wrap(handle, plan.statistics, variance)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
  for (int64_t row = 0; row < rows; ++row) {
    op.inverse_std.as<float>()[row] = 1 / std::sqrt(variance[row] + op.epsilon);
  }
}

void backward(const LayerNormBackward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  const int64_t rows = op.x.dim(0);
  float* const variance = workspace.take<float>(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) {
    const double inverse_std = static_cast<double>(op.inverse_std.as<float>()[row]);
    variance[row] = static_cast<float>(1 / (inverse_std * inverse_std));
  }
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.rows, op.x.data)},
                            {DNNL_ARG_MEAN, wrap(handle, plan.statistics, op.mean.data)},
                            {DNNL_ARG_VARIANCE, wrap(handle, plan.statistics, variance)},
                            {DNNL_ARG_SCALE, wrap(handle, plan.columns, op.weight.data)},
                            // never read, but oneDNN 2.6 counts its arguments
                            {DNNL_ARG_SHIFT, wrap(handle, plan.columns, op.weight.data)},
                            {DNNL_ARG_DIFF_DST, wrap(handle, plan.rows, op.dy.data)},
                            {DNNL_ARG_DIFF_SRC, wrap(handle, plan.rows, op.dx.data)},
                            {DNNL_ARG_DIFF_SCALE, wrap(handle, plan.columns, op.dweight.data)},
                            {DNNL_ARG_DIFF_SHIFT, wrap(handle, plan.columns, op.dbias.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_layer_norm(Registry& registry) {
  registry.add<LayerNormForward>({.name = "onednn",
                                  .place = place::vendor,
                                  .accepts = onednn::accepts<LayerNormForward>,
                                  .workspace_bytes = onednn::workspace_bytes<LayerNormForward>,
                                  .run = onednn::forward});
  registry.add<LayerNormBackward>({.name = "onednn",
                                   .place = place::vendor,
                                   .accepts = onednn::accepts<LayerNormBackward>,
                                   .workspace_bytes = onednn::workspace_bytes<LayerNormBackward>,
                                   .run = onednn::backward});
}

}  // namespace burin
