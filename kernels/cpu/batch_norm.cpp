// Batch normalisation, handwritten. What it costs is memory traffic, so:
//   forward   reads x once for the statistics and once to apply; ReLU, residual and mask ride along
//   backward  reads dy, mask and x once for the sums and once for dx
// nhwc has its vectors along channels, nchw along a plane.
#include "burin/kernels/batch_norm.h"

#include <cmath>

#include "burin/kernels/cpu/support/channel_moments.h"
#include "burin/kernels/cpu/support/relu_mask.h"
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
            if (op.relu_mask) {
              write_relu_mask(op.y.as<T>() + begin, end - begin,
                              op.relu_mask.as<uint8_t>() + begin / 8);
            }
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
  const double n = static_cast<double>(g.per_channel());
  float* const scale = workspace.take<float>(g.channels);
  const Moments* const moments = visit_floating(op.x.dtype, [&](auto tag) {
    return channel_moments(op.x.as<typename decltype(tag)::type>(), g, workspace);
  });
  const float keep = 1 - op.momentum;
  for (int64_t c = 0; c < g.channels; ++c) {
    const double variance = moments[c].squares / n;
    const auto inverse_std = static_cast<float>(1 / std::sqrt(variance + op.epsilon));
    op.mean.as<float>()[c] = static_cast<float>(moments[c].mean);
    op.inverse_std.as<float>()[c] = inverse_std;
    scale[c] = inverse_std * op.weight.as<float>()[c];
    if (op.running_mean) {
      float& running = op.running_mean.as<float>()[c];
      running = keep * running + op.momentum * static_cast<float>(moments[c].mean);
    }
    if (op.running_variance) {
      float& running = op.running_variance.as<float>()[c];
      running = keep * running + op.momentum * static_cast<float>(moments[c].squares / (n - 1));
    }
  }
  if (op.num_batches_tracked) ++*op.num_batches_tracked.as<int64_t>();
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

/// Per channel: Σ g and Σ g · (x − mean).
struct GradientSums {
  double g = 0;
  double g_centred = 0;
};

/// What one thread needs of scratch memory.
struct BackwardScratch {
  BackwardScratch(Workspace& workspace, int64_t C, int64_t chunk)
      : sums(workspace.take<GradientSums>(C)),
        g(workspace.take<float>(C)),
        g_centred(workspace.take<float>(C)),
        buffer(workspace.take<float>(PassedGradient<float>::room_for(chunk))) {}
  static size_t bytes(int64_t C, int64_t chunk) {
    return Workspace::room_for<GradientSums>(C) + 2 * Workspace::room_for<float>(C) +
           Workspace::room_for<float>(PassedGradient<float>::room_for(chunk));
  }
  GradientSums* sums;
  float* g;
  float* g_centred;
  float* buffer;
};

/// Adds the sums of the chunk [begin, end) of whole rows: in float within the chunk, then in
/// double.
template <class T>
void add_row_sums(const BatchNormBackward& op, int64_t begin, int64_t end,
                  const BackwardScratch& s) {
  const int64_t C = op.x.dim(1);
  const T* const x = op.x.as<T>();
  const float* const mean = op.mean.as<float>();
  const float* const g = PassedGradient<T>(op.dy, op.relu_mask).load(begin, end, s.buffer);
  std::fill_n(s.g, C, 0.0f);
  std::fill_n(s.g_centred, C, 0.0f);
  for (int64_t row = begin; row < end; row += C) {
    const float* const g_row = g + (row - begin);
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      s.g[c] += g_row[c];
      s.g_centred[c] += g_row[c] * (static_cast<float>(x[row + c]) - mean[c]);
    }
  }
  for (int64_t c = 0; c < C; ++c) {
    s.sums[c].g += static_cast<double>(s.g[c]);
    s.sums[c].g_centred += static_cast<double>(s.g_centred[c]);
  }
}

/// The sums of one channel of an nchw image.
template <class T>
GradientSums plane_sums(const BatchNormBackward& op, const Geometry& g, int64_t c, float* buffer) {
  const PassedGradient<T> passed(op.dy, op.relu_mask);
  const T* const x = op.x.as<T>();
  const float mean = op.mean.as<float>()[c];
  GradientSums total;
  for (int64_t n = 0; n < g.outer; ++n) {
    const int64_t plane = (n * g.channels + c) * g.inner;
    for (int64_t at = plane; at < plane + g.inner; at += block_values) {
      const int64_t end = std::min(at + block_values, plane + g.inner);
      const float* const dy = passed.load(at, end, buffer);
      float sums[chains] = {}, sums_centred[chains] = {};
      in_chains(end - at, [&](int64_t k, int64_t i) {
        sums[k] += dy[i];
        sums_centred[k] += dy[i] * (static_cast<float>(x[at + i]) - mean);
      });
      total.g += static_cast<double>(sum_of_chains(sums));
      total.g_centred += static_cast<double>(sum_of_chains(sums_centred));
    }
  }
  return total;
}

/// dx = scale · g − from_bias − (x − mean) · from_weight: the last pass, its factors by channel.
struct GradientFactors {
  const float* mean;
  float* scale;        // weight · inverse_std
  float* from_bias;    // scale · dbias / n
  float* from_weight;  // scale · inverse_std · dweight / n
};

template <class T, bool batch_statistics>
void write_dx(const BatchNormBackward& op, const Geometry& geometry, const GradientFactors& f,
              int64_t begin, int64_t end, const float* g) {
  const T* const x = op.x.as<T>();
  T* const dx = op.dx.as<T>();
  const auto value = [&](int64_t i, int64_t c) {
    const float scaled = f.scale[c] * g[i - begin];
    if (!batch_statistics) return scaled;
    return scaled - f.from_bias[c] - (static_cast<float>(x[i]) - f.mean[c]) * f.from_weight[c];
  };
  if (geometry.inner > 1) {
    for_each_plane(geometry, begin, end, [&](int64_t c, int64_t from, int64_t to) {
#pragma omp simd
      for (int64_t i = from; i < to; ++i) dx[i] = T(value(i, c));
    });
    return;
  }
  for (int64_t row = begin; row < end; row += geometry.channels) {
#pragma omp simd
    for (int64_t c = 0; c < geometry.channels; ++c) dx[row + c] = T(value(row + c, c));
  }
}

struct BackwardWorkspace {
  BackwardWorkspace(const BatchNormBackward& op, const Geometry& g, const Chunks& chunks,
                    Workspace workspace)
      : factors{op.mean.as<float>(), workspace.take<float>(g.channels),
                workspace.take<float>(g.channels), workspace.take<float>(g.channels)} {
    for (int64_t part = 0; part < chunks.parts; ++part) {
      threads.emplace_back(workspace, g.channels, chunks.length);
    }
  }
  static size_t bytes(const Geometry& g, const Chunks& chunks) {
    return 3 * Workspace::room_for<float>(g.channels) +
           chunks.parts * BackwardScratch::bytes(g.channels, chunks.length);
  }
  GradientFactors factors;
  std::vector<BackwardScratch> threads;
};

/// Writes the sums of all threads to the first one's.
template <class T>
void sum_gradients(const BatchNormBackward& op, const Geometry& g, const Chunks& chunks,
                   const BackwardWorkspace& workspace) {
  GradientSums* const total = workspace.threads[0].sums;
  if (g.inner > 1) {
    for_each_part(g.channels, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) {
        total[c] = plane_sums<T>(op, g, c, workspace.threads[part].buffer);
      }
    });
    return;
  }
  for_each_part(chunks.count, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
    const BackwardScratch& scratch = workspace.threads[part];
    std::fill_n(scratch.sums, g.channels, GradientSums{});
    for (int64_t chunk = first; chunk < last; ++chunk) {
      add_row_sums<T>(op, chunks.begin(chunk), chunks.end(chunk), scratch);
    }
  });
  for (int64_t part = 1; part < chunks.parts; ++part) {
    for (int64_t c = 0; c < g.channels; ++c) {
      total[c].g += workspace.threads[part].sums[c].g;
      total[c].g_centred += workspace.threads[part].sums[c].g_centred;
    }
  }
}

void write_parameter_gradients(const BatchNormBackward& op, const Geometry& g,
                               const GradientSums* sums, const GradientFactors& factors) {
  const double n = static_cast<double>(g.per_channel());
  for (int64_t c = 0; c < g.channels; ++c) {
    const double inverse_std = static_cast<double>(op.inverse_std.as<float>()[c]);
    const double scale = static_cast<double>(op.weight.as<float>()[c]) * inverse_std;
    const double dweight = sums[c].g_centred * inverse_std;
    op.dweight.as<float>()[c] = static_cast<float>(dweight);
    op.dbias.as<float>()[c] = static_cast<float>(sums[c].g);
    factors.scale[c] = static_cast<float>(scale);
    factors.from_bias[c] = static_cast<float>(scale * sums[c].g / n);
    factors.from_weight[c] = static_cast<float>(scale * inverse_std * dweight / n);
  }
}

size_t backward_workspace(const BatchNormBackward& op, const Context& /*context*/) {
  const Geometry g = geometry_of(op.x);
  return BackwardWorkspace::bytes(g, Chunks(g));
}

void backward(const BatchNormBackward& op, Workspace memory, Stream& /*stream*/) {
  const Geometry g = geometry_of(op.x);
  const Chunks chunks(g);
  const BackwardWorkspace workspace(op, g, chunks, memory);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    sum_gradients<T>(op, g, chunks, workspace);
    write_parameter_gradients(op, g, workspace.threads[0].sums, workspace.factors);
    for_each_part(chunks.count, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
      const PassedGradient<T> passed(op.dy, op.relu_mask);
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
  if (x.rank() != 2 && x.rank() != 4)
    return str("x ", x.shape, ", neither [N, C] nor [N, C, H, W]");
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
