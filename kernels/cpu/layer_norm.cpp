// Layer normalisation, handwritten. A row stays in the first-level cache while it is read again, so
// each direction goes over memory once.
#include "burin/kernels/layer_norm.h"

#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/channel_moments.h"
#include "burin/kernels/cpu/support/few_elements.h"
#include "burin/kernels/cpu/support/parts.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

struct RowMoments {
  double mean, variance;
};

/// In two readings: deviations from a first mean, which they then correct, lose no digits where the
/// mean is large.
template <class T>
RowMoments moments_of(const T* x, int64_t C) {
  const auto count = static_cast<double>(C);
  const auto load_x = [&](int64_t first, int64_t n) { return load_channels(x + first, n); };
  const float about = shift_near<T>(sum_of(C, load_x) / count);
  const Sums sums = sums_of(C, [&](int64_t first, int64_t n) {
    const Vector deviation = only_first(load_x(first, n) - about, n);
    return VectorPair{deviation, deviation * deviation};
  });
  const double offset = sums.first / count;
  return {static_cast<double>(about) + offset, sums.second / count - offset * offset};
}

template <class T>
void forward_row(const LayerNormForward& op, int64_t row, int64_t C) {
  const T* const x = op.x.as<T>() + row * C;
  T* const y = op.y.as<T>() + row * C;
  const float* const weight = op.weight.as<float>();
  const float* const bias = op.bias.as<float>();
  const RowMoments moments = moments_of(x, C);
  const auto mean = static_cast<float>(moments.mean);
  const auto inverse_std =
      static_cast<float>(1 / std::sqrt(moments.variance + static_cast<double>(op.epsilon)));
  for_stretches(0, C, [&](int64_t c, int64_t n) {
    const Vector x_hat = (load_channels(x + c, n) - mean) * inverse_std;
    store_channels(y + c, x_hat * load_channels(weight + c, n) + load_channels(bias + c, n), n);
  });
  op.mean.as<float>()[row] = mean;
  op.inverse_std.as<float>()[row] = inverse_std;
}

void forward(const LayerNormForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t rows = op.x.dim(0), C = op.x.dim(1);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(rows, row_grain(C), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) forward_row<T>(op, row, C);
    });
  });
}

// ---- backward

/// What one thread sums over its rows: in float over a few of them, then in double.
struct ParameterSums {
  ParameterSums(Workspace& workspace, int64_t C)
      : weight(workspace.take<double>(C)),
        bias(workspace.take<double>(C)),
        recent_weight(workspace.take<float>(C)),
        recent_bias(workspace.take<float>(C)) {}
  static size_t bytes(int64_t C) {
    return 2 * Workspace::room_for<double>(C) + 2 * Workspace::room_for<float>(C);
  }
  void clear(int64_t C) const {
    std::fill_n(weight, C, 0.0);
    std::fill_n(bias, C, 0.0);
    std::fill_n(recent_weight, C, 0.0f);
    std::fill_n(recent_bias, C, 0.0f);
  }
  void settle(int64_t C) const {
    for (int64_t c = 0; c < C; ++c) {
      weight[c] += static_cast<double>(recent_weight[c]);
      bias[c] += static_cast<double>(recent_bias[c]);
    }
    std::fill_n(recent_weight, C, 0.0f);
    std::fill_n(recent_bias, C, 0.0f);
  }
  double* weight;
  double* bias;
  float* recent_weight;
  float* recent_bias;
};

/// One row of dx; adds the row to the sums of dweight and dbias.
template <class T>
void backward_row(const LayerNormBackward& op, int64_t row, int64_t C, const ParameterSums& sums) {
  const T* const dy = op.dy.as<T>() + row * C;
  const T* const x = op.x.as<T>() + row * C;
  T* const dx = op.dx.as<T>() + row * C;
  const float* const weight = op.weight.as<float>();
  const float mean = op.mean.as<float>()[row];
  const float inverse_std = op.inverse_std.as<float>()[row];

  const auto x_hat_at = [&](int64_t c, int64_t n) {
    return only_first((load_channels(x + c, n) - mean) * inverse_std, n);
  };
  // Σ g and Σ g · x̂
  const Sums row_sums = sums_of(C, [&](int64_t c, int64_t n) {
    const Vector gradient = load_channels(dy + c, n);
    const Vector x_hat = x_hat_at(c, n);
    add_channels(sums.recent_weight + c, gradient * x_hat, n);
    add_channels(sums.recent_bias + c, gradient, n);
    const Vector g = gradient * load_channels(weight + c, n);
    return VectorPair{g, g * x_hat};
  });
  const auto mean_g = static_cast<float>(row_sums.first / static_cast<double>(C));
  const auto mean_product = static_cast<float>(row_sums.second / static_cast<double>(C));
  for_stretches(0, C, [&](int64_t c, int64_t n) {
    const Vector g = load_channels(dy + c, n) * load_channels(weight + c, n);
    store_channels(dx + c, inverse_std * (g - mean_g - x_hat_at(c, n) * mean_product), n);
  });
}

int64_t backward_parts(const LayerNormBackward& op) {
  return parts_for(op.x.dim(0), row_grain(op.x.dim(1)));
}

size_t backward_workspace(const LayerNormBackward& op, const Context& /*context*/) {
  return backward_parts(op) * ParameterSums::bytes(op.x.dim(1));
}

void backward(const LayerNormBackward& op, Workspace workspace, Stream& /*stream*/) {
  constexpr int64_t recent_rows = 16;
  const int64_t rows = op.x.dim(0), C = op.x.dim(1);
  std::vector<ParameterSums> parts;
  for (int64_t part = 0; part < backward_parts(op); ++part) parts.emplace_back(workspace, C);
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto count = static_cast<int64_t>(parts.size());
    for_each_part(rows, count, [&](int64_t part, int64_t begin, int64_t end) {
      const ParameterSums& sums = parts[static_cast<size_t>(part)];
      sums.clear(C);
      for (int64_t row = begin; row < end; ++row) {
        backward_row<T>(op, row, C, sums);
        if ((row - begin) % recent_rows == recent_rows - 1) sums.settle(C);
      }
      sums.settle(C);
    });
  });
  for (int64_t c = 0; c < C; ++c) {
    double dweight = 0, dbias = 0;
    for (const ParameterSums& sums : parts) {
      dweight += sums.weight[c];
      dbias += sums.bias[c];
    }
    op.dweight.as<float>()[c] = static_cast<float>(dweight);
    op.dbias.as<float>()[c] = static_cast<float>(dbias);
  }
}

// ---- what is taken

Refusal accepts_rows(const ConstView& x, const ConstView& y) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (y.dtype != x.dtype) return str("dtypes ", x.dtype, " and ", y.dtype);
  if (x.rank() != 2) return str(x.shape, " is not [rows, C]");
  if (x.numel() == 0) return str(x.shape, " is empty");
  return x.is_contiguous() && y.is_contiguous() ? "" : "rows that are not contiguous";
}

Refusal accepts_forward(const LayerNormForward& op, const Context& /*context*/) {
  return accepts_rows(op.x, op.y);
}

Refusal accepts_backward(const LayerNormBackward& op, const Context& /*context*/) {
  if (Refusal refusal = accepts_rows(op.x, op.dy); !refusal.empty()) return refusal;
  return accepts_rows(op.x, op.dx);
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_layer_norm(Registry& registry) {
  registry.add<LayerNormForward>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = cpu::accepts_forward,
       .prefers = [](const LayerNormForward& op,
                     const Context& /*context*/) { return op.x.numel() <= cpu::few_elements; },
       .run = cpu::forward});
  registry.add<LayerNormBackward>({.name = "cpu",
                                   .accepts = cpu::accepts_backward,
                                   .workspace_bytes = cpu::backward_workspace,
                                   .run = cpu::backward});
}

}  // namespace burin
