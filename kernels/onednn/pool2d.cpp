// Averages by oneDNN. Its maxima are not used: they pass over NaN (and give the lowest finite
// number for −∞), where the contract lets NaN win so that a diverged run shows.
#include "burin/kernels/pool2d.h"

#include "burin/kernels/onednn/support/plan_cache.h"
#include "burin/kernels/registry.h"

namespace burin::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Forward = dnnl::pooling_forward;
using Backward = dnnl::pooling_backward;

struct Plan {
  Refusal refusal;
  dnnl::primitive primitive;
  Desc input, output, scratchpad;
};
struct ForwardPlan : Plan {
  static constexpr std::string_view name = "onednn avg_pool2d_forward";
};
struct BackwardPlan : Plan {
  static constexpr std::string_view name = "onednn avg_pool2d_backward";
};

/// An average in oneDNN's words; `refusal` says why it has none.
struct Average {
  Refusal refusal;
  dnnl::algorithm algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
  dnnl::memory::dims strides, kernel, before, after;  // after: padding behind the last element

  ProblemKey key(const ConstView& input, const ConstView& output) const {
    ProblemKey key;
    key.add(input).add(output).add(static_cast<int64_t>(algorithm));
    for (const auto* const list : {&strides, &kernel, &before}) key.add((*list)[0]).add((*list)[1]);
    return key;
  }
};

Average average(const Pool2dParams& p, const ConstView& input, const ConstView& output) {
  Average a;
  a.strides = {p.stride_h, p.stride_w};
  a.kernel = {p.kernel_h, p.kernel_w};
  a.before = {p.pad_h, p.pad_w};
  for (size_t i = 0; i < 2; ++i) {
    const int axis = static_cast<int>(i) + 2;
    const int64_t reach = (output.dim(axis) - 1) * a.strides[i] + a.kernel[i];
    a.after.push_back(reach - input.dim(axis) - a.before[i]);
  }
  if (!p.count_include_pad) return a;
  a.algorithm = dnnl::algorithm::pooling_avg_include_padding;
  if (a.after[0] > p.pad_h || a.after[1] > p.pad_w) {
    a.refusal = "oneDNN's divisor counts what ceil_mode reaches beyond the padding";
  }
  return a;
}

/// An adaptive average whose windows are all alike is a plain one.
Average adaptive(const ConstView& input, const ConstView& output) {
  const int64_t H = input.dim(2), W = input.dim(3), P = output.dim(2), Q = output.dim(3);
  Average a;
  a.strides = a.kernel = {H / P, W / Q};
  a.before = a.after = {0, 0};
  if (H % P != 0 || W % Q != 0) {
    a.refusal = str("output ", output.shape, " does not divide input ", input.shape);
  }
  return a;
}

template <class Op>
Average average_of(const Op& op, const ConstView& input, const ConstView& output) {
  if constexpr (requires { op.params; }) {
    return average(op.params, input, output);
  } else {
    return adaptive(input, output);
  }
}

Forward::primitive_desc forward_desc(const Handle& handle, const Average& a, const ConstView& input,
                                     const ConstView& output) {
  return {{dnnl::prop_kind::forward_training, a.algorithm, descriptor(input), descriptor(output),
           a.strides, a.kernel, a.before, a.after},
          user_scratchpad(),
          handle.engine};
}

template <class PrimitiveDesc, class Primitive>
void fill(Plan& plan, const PrimitiveDesc& made, const ConstView& input, const ConstView& output,
          const Primitive& primitive) {
  plan.refusal = refuse_reference(made.impl_info_str());
  plan.input = descriptor(input);
  plan.output = descriptor(output);
  plan.scratchpad = made.scratchpad_desc();
  plan.primitive = primitive;
}

template <class Op>
Plan& plan_of(const Op& op, Stream& stream) {
  if constexpr (requires { op.x; }) {
    const Average a = average_of(op, op.x, op.y);
    return plan_for<ForwardPlan>(stream, a.key(op.x, op.y),
                                 [&](ForwardPlan& plan, const Handle& handle) {
                                   const auto made = forward_desc(handle, a, op.x, op.y);
                                   fill(plan, made, op.x, op.y, Forward(made));
                                 });
  } else {
    const Average a = average_of(op, op.dx, op.dy);
    return plan_for<BackwardPlan>(
        stream, a.key(op.dx, op.dy), [&](BackwardPlan& plan, const Handle& handle) {
          const Backward::primitive_desc made({a.algorithm, descriptor(op.dx), descriptor(op.dy),
                                               a.strides, a.kernel, a.before, a.after},
                                              user_scratchpad(), handle.engine,
                                              forward_desc(handle, a, op.dx, op.dy));
          fill(plan, made, op.dx, op.dy, Backward(made));
        });
  }
}

Refusal refuse_images(const ConstView& input, const ConstView& output) {
  if (input.rank() != 4 || output.rank() != 4) return "only [N, C, H, W]";
  if (input.dtype != output.dtype) return str("dtypes ", input.dtype, " and ", output.dtype);
  const auto both = [&](Layout l) { return input.is_dense(l) && output.is_dense(l); };
  if (!both(Layout::nhwc) && !both(Layout::nchw)) return "images not dense in one layout";
  return refuse_dtype(input.dtype);
}

/// oneDNN adds a window up in one float: with many values that have a mean, digits get lost.
Refusal refuse_average(const Average& a) {
  constexpr int64_t most = 64;
  if (!a.refusal.empty()) return a.refusal;
  const int64_t count = a.kernel[0] * a.kernel[1];
  return count > most ? str("oneDNN sums the ", count, " values of a window in one float") : "";
}

/// Backward in nhwc adds the windows up in the dtype of dx: each addition rounds to 16 bits.
Refusal refuse_sums(const Average& a, DType dtype) {
  const bool overlap = a.strides[0] < a.kernel[0] || a.strides[1] < a.kernel[1];
  return overlap && dtype != DType::f32 ? str("oneDNN adds overlapping windows in ", dtype) : "";
}

template <class Op>
Refusal accepts(const Op& op, const Context& context) {
  const auto ask = [&](const ConstView& input, const ConstView& output) {
    Refusal refusal = refuse_images(input, output);
    const Average a = average_of(op, input, output);
    if (refusal.empty()) refusal = refuse_average(a);
    if constexpr (requires { op.dx; }) {
      if (refusal.empty()) refusal = refuse_sums(a, input.dtype);
    }
    return refusal.empty() ? plan_of(op, context.stream).refusal : refusal;
  };
  if constexpr (requires { op.x; }) {
    return ask(op.x, op.y);
  } else {
    return ask(op.dx, op.dy);
  }
}

template <class Op>
size_t workspace_bytes(const Op& op, const Context& context) {
  return room_for(plan_of(op, context.stream).scratchpad);
}

template <class Op>
void run(const Op& op, Workspace workspace, Stream& stream) {
  const Handle& handle = stream.state<Handle>();
  const Plan& plan = plan_of(op, stream);
  translate_errors(op.name, [&] {
    const dnnl::memory scratchpad = take(handle, plan.scratchpad, workspace);
    if constexpr (requires { op.x; }) {
      plan.primitive.execute(handle.stream, {{DNNL_ARG_SRC, wrap(handle, plan.input, op.x.data)},
                                             {DNNL_ARG_DST, wrap(handle, plan.output, op.y.data)},
                                             {DNNL_ARG_SCRATCHPAD, scratchpad}});
    } else {
      plan.primitive.execute(handle.stream,
                             {{DNNL_ARG_DIFF_DST, wrap(handle, plan.output, op.dy.data)},
                              {DNNL_ARG_DIFF_SRC, wrap(handle, plan.input, op.dx.data)},
                              {DNNL_ARG_SCRATCHPAD, scratchpad}});
    }
  });
}

template <class Op>
void add(Registry& registry) {
  registry.add<Op>({.name = "onednn",
                    .place = place::vendor,
                    .accepts = accepts<Op>,
                    .workspace_bytes = workspace_bytes<Op>,
                    .run = run<Op>});
}

}  // namespace
}  // namespace burin::onednn

namespace burin {

void register_onednn_pool2d(Registry& registry) {
  onednn::add<AvgPool2dForward>(registry);
  onednn::add<AvgPool2dBackward>(registry);
  onednn::add<AdaptiveAvgPool2dForward>(registry);
  onednn::add<AdaptiveAvgPool2dBackward>(registry);
}

}  // namespace burin
