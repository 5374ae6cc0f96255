// Batch normalisation by oneDNN, as far as it can do what the contract says:
//   no residual   it has no such form
//   no ReLU       its fused one turns NaN into 0 (nhwc), which would hide that a run diverged, or
//                 keeps a byte an element for its mask (nchw)
//   short sums    it adds a channel up in one float, and loses digits where there are many values
#include "burin/kernels/batch_norm.h"

#include <bit>
#include <cmath>
#include <type_traits>

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::batch_normalization_forward;
using Backward = dnnl::batch_normalization_backward;

struct Plan {
  Refusal refusal;
  dnnl::primitive primitive;
  Desc image, channels, scratchpad;
};
struct TrainPlan : Plan {
  static constexpr std::string_view name = "onednn batch_norm_train";
};
struct InferencePlan : Plan {
  static constexpr std::string_view name = "onednn batch_norm_inference";
};
struct BackwardPlan : Plan {
  static constexpr std::string_view name = "onednn batch_norm_backward";
};

/// Weight and bias as two vectors; `given`: the statistics are an input.
dnnl::normalization_flags flags(bool given) {
  using Flags = dnnl::normalization_flags;
  const Flags both = Flags::use_scale | Flags::use_shift;
  return given ? both | Flags::use_global_stats : both;
}

/// Takes over what `made` is made of.
template <class Primitive, class PrimitiveDesc>
void fill(Plan& plan, const ConstView& x, const PrimitiveDesc& made) {
  plan.refusal = refuse_reference(made.impl_info_str());
  if (!plan.refusal.empty()) return;
  plan.image = descriptor(x);
  plan.channels = {{x.dim(1)}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
  plan.scratchpad = made.scratchpad_desc();
  plan.primitive = Primitive(made);
}

Forward::primitive_desc forward_desc(const Handle& handle, const ConstView& x, dnnl::prop_kind kind,
                                     float epsilon, bool given) {
  return {{kind, descriptor(x), epsilon, flags(given)}, user_scratchpad(), handle.engine};
}

ProblemKey key_of(const ConstView& x, float epsilon) {
  return ProblemKey().add(x).add(std::bit_cast<int32_t>(epsilon));
}

TrainPlan& plan_of(const BatchNormTrain& op, Stream& stream) {
  return plan_for<TrainPlan>(
      stream, key_of(op.x, op.epsilon), [&](TrainPlan& plan, const Handle& handle) {
        fill<Forward>(
            plan, op.x,
            forward_desc(handle, op.x, dnnl::prop_kind::forward_training, op.epsilon, false));
      });
}

InferencePlan& plan_of(const BatchNormInference& op, Stream& stream) {
  return plan_for<InferencePlan>(
      stream, key_of(op.x, op.epsilon), [&](InferencePlan& plan, const Handle& handle) {
        fill<Forward>(
            plan, op.x,
            forward_desc(handle, op.x, dnnl::prop_kind::forward_inference, op.epsilon, true));
      });
}

/// The contract keeps inverse_std = 1 / √(variance + ε), so the variance handed over is
/// 1 / inverse_std², with no ε to add: the smallest that oneDNN's own sum does not notice.
constexpr float no_epsilon = 1e-30f;

BackwardPlan& plan_of(const BatchNormBackward& op, Stream& stream) {
  const ProblemKey key = key_of(op.x, no_epsilon).add(op.batch_statistics ? 1 : 0);
  return plan_for<BackwardPlan>(stream, key, [&](BackwardPlan& plan, const Handle& handle) {
    const bool given = !op.batch_statistics;
    const Desc image = descriptor(op.x);
    const auto hint =
        forward_desc(handle, op.x, dnnl::prop_kind::forward_training, no_epsilon, given);
    const Backward::primitive_desc made(
        {dnnl::prop_kind::backward, image, image, no_epsilon, flags(given)}, user_scratchpad(),
        handle.engine, hint);
    fill<Backward>(plan, op.x, made);
  });
}

/// Workspace: oneDNN's and one variance a channel.
template <class Op>
size_t with_variance(const Op& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad) + Workspace::room_for<float>(op.x.dim(1));
}

size_t inference_workspace(const BatchNormInference& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

void train(const BatchNormTrain& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const TrainPlan& plan = plan_of(op, stream);
  float* const variance = workspace.take<float>(static_cast<size_t>(op.x.dim(1)));
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.image, op.x.data)},
                            {DNNL_ARG_SCALE, wrap(handle, plan.channels, op.weight.data)},
                            {DNNL_ARG_SHIFT, wrap(handle, plan.channels, op.bias.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.image, op.y.data)},
                            {DNNL_ARG_MEAN, wrap(handle, plan.channels, op.mean.data)},
                            {DNNL_ARG_VARIANCE, wrap(handle, plan.channels, variance)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
  const int64_t C = op.x.dim(1);
  const int64_t count = op.x.numel() / C;
  const auto n = static_cast<float>(count);
  const float keep = 1 - op.momentum;
  for (int64_t c = 0; c < C; ++c) {
    op.inverse_std.as<float>()[c] = 1 / std::sqrt(variance[c] + op.epsilon);
    if (op.running_mean) {
      float& running = op.running_mean.as<float>()[c];
      running = keep * running + op.momentum * op.mean.as<float>()[c];
    }
    if (op.running_variance) {
      float& running = op.running_variance.as<float>()[c];
      running = keep * running + op.momentum * (variance[c] * (n / (n - 1)));
    }
  }
  if (op.num_batches_tracked) ++*op.num_batches_tracked.as<int64_t>();
}

void inference(const BatchNormInference& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const InferencePlan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.image, op.x.data)},
                            {DNNL_ARG_SCALE, wrap(handle, plan.channels, op.weight.data)},
                            {DNNL_ARG_SHIFT, wrap(handle, plan.channels, op.bias.data)},
                            {DNNL_ARG_MEAN, wrap(handle, plan.channels, op.mean.data)},
                            {DNNL_ARG_VARIANCE, wrap(handle, plan.channels, op.variance.data)},
                            {DNNL_ARG_DST, wrap(handle, plan.image, op.y.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

void backward(const BatchNormBackward& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const BackwardPlan& plan = plan_of(op, stream);
  float* const variance = workspace.take<float>(static_cast<size_t>(op.x.dim(1)));
  for (int64_t c = 0; c < op.x.dim(1); ++c) {
    const double inverse_std = static_cast<double>(op.inverse_std.as<float>()[c]);
    variance[c] = static_cast<float>(1 / (inverse_std * inverse_std));
  }
  translate_errors(op.name, [&] {
    plan.primitive.execute(handle.stream,
                           {{DNNL_ARG_SRC, wrap(handle, plan.image, op.x.data)},
                            {DNNL_ARG_MEAN, wrap(handle, plan.channels, op.mean.data)},
                            {DNNL_ARG_VARIANCE, wrap(handle, plan.channels, variance)},
                            {DNNL_ARG_SCALE, wrap(handle, plan.channels, op.weight.data)},
                            // never read, but oneDNN 2.6 counts its arguments
                            {DNNL_ARG_SHIFT, wrap(handle, plan.channels, op.weight.data)},
                            {DNNL_ARG_DIFF_DST, wrap(handle, plan.image, op.dy.data)},
                            {DNNL_ARG_DIFF_SRC, wrap(handle, plan.image, op.dx.data)},
                            {DNNL_ARG_DIFF_SCALE, wrap(handle, plan.channels, op.dweight.data)},
                            {DNNL_ARG_DIFF_SHIFT, wrap(handle, plan.channels, op.dbias.data)},
                            {DNNL_ARG_SCRATCHPAD, take(handle, plan.scratchpad, workspace)}});
  });
}

// ---- what is taken

Refusal refuse_image(const ConstView& x, const ConstView& y) {
  if (x.rank() != 4) return str("x ", x.shape, ", only [N, C, H, W]");
  if (y.dtype != x.dtype || !same_dense_order(x, y)) return "images that differ in dtype or layout";
  return refuse_dtype(x.dtype);
}

Refusal refuse_long_sums(const ConstView& x) {
  constexpr int64_t most = 1024;
  const int64_t count = x.numel() / x.dim(1);
  return count > most ? str("oneDNN sums the ", count, " values of a channel in one float") : "";
}

template <class Op>
Refusal accepts_forward(const Op& op, const Context& context) {
  if (op.residual) return "oneDNN has no batch normalisation with a residual";
  if (op.relu) return "oneDNN's fused ReLU turns NaN into 0, or keeps another mask";
  Refusal refusal = refuse_image(op.x, op.y);
  if (refusal.empty() && std::is_same_v<Op, BatchNormTrain>) refusal = refuse_long_sums(op.x);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

Refusal accepts_backward(const BatchNormBackward& op, const Context& context) {
  if (op.relu_mask) return "oneDNN's fused ReLU keeps another mask";
  if (op.dresidual) return "oneDNN has no batch normalisation with a residual";
  Refusal refusal = refuse_image(op.x, op.dx);
  if (refusal.empty()) refusal = refuse_image(op.x, op.dy);
  if (refusal.empty()) refusal = refuse_long_sums(op.x);
  return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_batch_norm(Registry& registry) {
  registry.add<BatchNormTrain>({.name = "onednn",
                                .place = place::handwritten,
                                .accepts = onednn::accepts_forward<BatchNormTrain>,
                                .workspace_bytes = onednn::with_variance<BatchNormTrain>,
                                .run = onednn::train});
  registry.add<BatchNormInference>({.name = "onednn",
                                    .place = place::handwritten,
                                    .accepts = onednn::accepts_forward<BatchNormInference>,
                                    .workspace_bytes = onednn::inference_workspace,
                                    .run = onednn::inference});
  registry.add<BatchNormBackward>({.name = "onednn",
                                   .place = place::handwritten,
                                   .accepts = onednn::accepts_backward,
                                   .workspace_bytes = onednn::with_variance<BatchNormBackward>,
                                   .run = onednn::backward});
}

}  // namespace burin
