// Batch normalisation, handwritten. What it costs is memory traffic, so:
//   forward   reads x once for the statistics and once to apply; ReLU, residual and mask ride along
//   backward  reads dy, mask and x once for the sums and once for dx
// nhwc has its vectors along channels, nchw along a plane.
#include "burin/kernels/batch_norm.h"

#include <cmath>

#include "burin/kernels/cpu/support/batch_norm_gradients.h"
#include "burin/kernels/cpu/support/batch_norm_statistics.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// y = relu?((x − mean) · scale + bias + residual): the pass that both forward forms end with.
struct Affine {
  ConstView x;
  ConstView residual;
  View y;
  View relu_mask;
  const float* mean;
  const float* scale;  // inverse_std · weight
  const float* bias;
};

template <class T, bool relu>
T finish(float value) {
  if (relu) value = value <= 0 ? 0 : value;  // NaN passes
  return T(value);
}

template <class T, bool has_residual, bool relu>
void apply_chunk(const Affine& op, const Geometry& g, int64_t begin, int64_t end) {
  const T* const x = op.x.as<T>();
  const T* const residual = op.residual.as<T>();
  T* const y = op.y.as<T>();
  const auto added = [&](int64_t i) {
    return has_residual ? static_cast<float>(residual[i]) : 0.0f;
  };
  if (g.inner > 1) {
    for_each_plane(g, begin, end, [&](int64_t c, int64_t from, int64_t to) {
      const float mean = op.mean[c], scale = op.scale[c], bias = op.bias[c];
#pragma omp simd
      for (int64_t i = from; i < to; ++i) {
        const float centred = static_cast<float>(x[i]) - mean;
        y[i] = finish<T, relu>(centred * scale + bias + added(i));
      }
    });
    return;
  }
  for (int64_t row = begin; row < end; row += g.channels) {
#pragma omp simd
    for (int64_t c = 0; c < g.channels; ++c) {
      const float centred = static_cast<float>(x[row + c]) - op.mean[c];
      y[row + c] = finish<T, relu>(centred * op.scale[c] + op.bias[c] + added(row + c));
    }
  }
}

/// The mask of the elements begin … end of y, where one is asked for.
template <class T>
void mask_chunk(const Affine& op, int64_t begin, int64_t end) {
  if (!op.relu_mask) return;
  write_relu_mask(op.y.as<T>() + begin, end - begin, op.relu_mask.as<uint8_t>() + begin / 8);
}

void apply(const Affine& op, const Geometry& g, bool relu) {
  const Chunks chunks(g);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_flag(static_cast<bool>(op.residual), [&](auto has_residual) {
      with_flag(relu, [&](auto with_relu) {
        for_each_part(chunks.count, chunks.parts, [&](int64_t, int64_t first, int64_t last) {
          for (int64_t chunk = first; chunk < last; ++chunk) {
            const int64_t begin = chunks.begin(chunk), end = chunks.end(chunk);
            apply_chunk<T, has_residual.value, with_relu.value>(op, g, begin, end);
            mask_chunk<T>(op, begin, end);
          }
        });
      });
    });
  });
}

size_t train_workspace(const BatchNormTrain& op, const Context& /*context*/) {
  const Geometry g = geometry_of(op.x);
  return Workspace::room_for<float>(g.channels) + channel_moments_bytes(g);
}

void train(const BatchNormTrain& op, Workspace workspace, Stream& /*stream*/) {
  const Geometry g = geometry_of(op.x);
  float* const scale = workspace.take<float>(g.channels);
  keep_statistics(op, g, workspace, scale);
  apply({op.x, op.residual, op.y, op.relu_mask, op.mean.as<float>(), scale, op.bias.as<float>()}, g,
        op.relu);
}

size_t inference_workspace(const BatchNormInference& op, const Context& /*context*/) {
  return Workspace::room_for<float>(op.x.dim(1));
}

void inference(const BatchNormInference& op, Workspace workspace, Stream& /*stream*/) {
  const Geometry g = geometry_of(op.x);
  float* const scale = workspace.take<float>(g.channels);
  for (int64_t c = 0; c < g.channels; ++c) {
    scale[c] = op.weight.as<float>()[c] / std::sqrt(op.variance.as<float>()[c] + op.epsilon);
  }
  apply({op.x, op.residual, op.y, op.relu_mask, op.mean.as<float>(), scale, op.bias.as<float>()}, g,
        op.relu);
}

// ---- backward

template <class T, bool batch_statistics>
void write_dx(const BatchNormBackward& op, const Geometry& geometry, const GradientFactors& f,
              int64_t begin, int64_t end, const float* g) {
  const T* const x = op.x.as<T>();
  T* const dx = op.dx.as<T>();
  // It returns T, not float: a temporary T in the loops below would keep them from being
  // vectorised.
  const auto value = [&](int64_t i, int64_t c) {
    const float scaled = f.scale[c] * g[i - begin];
    if (!batch_statistics) return T(scaled);
    return T(scaled - f.from_bias[c] - (static_cast<float>(x[i]) - f.mean[c]) * f.from_weight[c]);
  };
  if (geometry.inner > 1) {
    for_each_plane(geometry, begin, end, [&](int64_t c, int64_t from, int64_t to) {
#pragma omp simd
      for (int64_t i = from; i < to; ++i) dx[i] = value(i, c);
    });
    return;
  }
  for (int64_t row = begin; row < end; row += geometry.channels) {
#pragma omp simd
    for (int64_t c = 0; c < geometry.channels; ++c) dx[row + c] = value(row + c, c);
  }
}

size_t backward_workspace(const BatchNormBackward& op, const Context& /*context*/) {
  const Geometry g = geometry_of(op.x);
  return BackwardWorkspace::bytes(g, Chunks(g));
}

void backward(const BatchNormBackward& op, Workspace memory, Stream& /*stream*/) {
  const Geometry g = geometry_of(op.x);
  const Chunks chunks(g);
  const BackwardWorkspace workspace(op.mean.as<float>(), g, chunks, memory);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PassedGradient<T> passed(op.dy, op.relu_mask);
    sum_gradients(GradientTerms<T, PassedGradient<T>>{passed, op.x.as<T>(), op.mean.as<float>()}, g,
                  chunks, workspace);
    write_parameter_gradients(op, g.per_channel(), workspace.threads[0].sums, workspace.factors);
    for_each_part(chunks.count, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
      T* const dresidual = op.dresidual.as<T>();
      for (int64_t chunk = first; chunk < last; ++chunk) {
        const int64_t begin = chunks.begin(chunk), end = chunks.end(chunk);
        const float* const dy = passed.load(begin, end, workspace.threads[part].buffer);
        if (dresidual != nullptr) {
          for (int64_t i = begin; i < end; ++i) dresidual[i] = T(dy[i - begin]);
        }
        with_flag(op.batch_statistics, [&](auto batch) {
          write_dx<T, batch.value>(op, g, workspace.factors, begin, end, dy);
        });
      }
    });
  });
}

// ---- what is taken

Refusal accepts_image(const ConstView& x) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (x.rank() != 2 && x.rank() != 4) {
    return str("x ", x.shape, ", neither [N, C] nor [N, C, H, W]");
  }
  if (x.numel() == 0) return str("x ", x.shape, " is empty");
  const bool dense = x.is_dense(Layout::nhwc) || x.is_dense(Layout::nchw);
  return dense ? "" : "x is dense in no layout";
}

/// Whether an optional operand of x's shape lies like x.
template <class V>
bool lies_like(const ConstView& x, const V& other) {
  return !other || (other.dtype == x.dtype && same_dense_order(x, other));
}

template <class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = accepts_image(op.x); !refusal.empty()) return refusal;
  if (!lies_like(op.x, op.y)) return "y differs from x in dtype or layout";
  if (!lies_like(op.x, op.residual)) return "the residual differs from x in dtype or layout";
  return "";
}

Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  if (Refusal refusal = accepts_image(op.x); !refusal.empty()) return refusal;
  if (!lies_like(op.x, op.dy)) return "dy differs from x in dtype or layout";
  if (!lies_like(op.x, op.dx)) return "dx differs from x in dtype or layout";
  if (!lies_like(op.x, op.dresidual)) return "dresidual differs from x in dtype or layout";
  return "";
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_batch_norm(Registry& registry) {
  registry.add<BatchNormTrain>({.name = "cpu",
                                .accepts = cpu::accepts_forward<BatchNormTrain>,
                                .workspace_bytes = cpu::train_workspace,
                                .run = cpu::train});
  registry.add<BatchNormInference>({.name = "cpu",
                                    .accepts = cpu::accepts_forward<BatchNormInference>,
                                    .workspace_bytes = cpu::inference_workspace,
                                    .run = cpu::inference});
  registry.add<BatchNormBackward>({.name = "cpu",
                                   .accepts = cpu::accepts_backward,
                                   .workspace_bytes = cpu::backward_workspace,
                                   .run = cpu::backward});
}

}  // namespace burin
