#include "burin/kernels/cross_entropy.h"

#include <cmath>
#include <limits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/exponential.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// log Σ_c exp(x[c])
template <class T>
float log_sum_exp(const T* x, int64_t C) {
  const float top = top_of(x, C);
  const double sum = sum_of(C, [&](int64_t first, int64_t count) {
    return exponential(load_or_lowest(x + first, count) - top);
  });
  return top + static_cast<float>(std::log(sum));
}

/// loss_n of one row whose target is a class.
template <class T>
float row_loss(const T* x, int64_t C, int64_t target, float lse, const float* weight,
               float smoothing) {
  const float own_weight = weight == nullptr ? 1.0f : weight[target];
  const float hit = own_weight * (lse - static_cast<float>(x[target]));
  if (smoothing == 0) return hit;
  const double spread = sum_of(C, [&](int64_t first, int64_t count) {
    const Vector term = only_first(lse - load_channels(x + first, count), count);
    return weight == nullptr ? term : term * load_channels(weight + first, count);
  });
  return (1 - smoothing) * hit + smoothing * static_cast<float>(spread / static_cast<double>(C));
}

Refusal accepts_forward(const CrossEntropyForward& op, const Context& /*context*/) {
  if (!is_floating(op.logits.dtype)) return str("dtype ", op.logits.dtype);
  return op.logits.is_contiguous() ? "" : "logits are not contiguous";
}

void forward(const CrossEntropyForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t N = op.logits.dim(0), C = op.logits.dim(1);
  const auto* const target = op.target.as<int64_t>();
  const auto* const weight = op.class_weight.as<float>();
  auto* const losses = op.sample_loss.as<float>();
  auto* const lse = op.log_sum_exp.as<float>();
  visit_floating(op.logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(N, row_grain(C), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* const x = op.logits.as<T>() + n * C;
        lse[n] = log_sum_exp(x, C);
        if (target[n] == op.ignore_index) {
          losses[n] = 0;
        } else if (target[n] < 0 || target[n] >= C) {
          losses[n] = nan;
        } else {
          losses[n] = row_loss(x, C, target[n], lse[n], weight, op.label_smoothing);
        }
      }
    });
  });
  double sum = 0;
  double total = 0;
  for (int64_t n = 0; n < N; ++n) {
    if (target[n] == op.ignore_index) continue;
    const bool is_class = target[n] >= 0 && target[n] < C;
    sum += static_cast<double>(losses[n]);
    total += weight == nullptr || !is_class ? 1.0 : static_cast<double>(weight[target[n]]);
  }
  *op.total_weight.as<float>() = static_cast<float>(total);
  *op.loss.as<float>() = static_cast<float>(sum / total);
}

Refusal accepts_backward(const CrossEntropyBackward& op, const Context& /*context*/) {
  if (!is_floating(op.logits.dtype)) return str("dtype ", op.logits.dtype);
  return op.logits.is_contiguous() && op.dlogits.is_contiguous() ? "" : "logits are not contiguous";
}

/// With p = softmax, Ω = Σ_c ω[c]:
///   ∂loss_n/∂x[c] = (1 − ε)·ω[t]·(p[c] − [c = t]) + (ε / C)·(Ω·p[c] − ω[c])
template <class T>
void backward_row(const CrossEntropyBackward& op, int64_t n, float scale, float weight_sum) {
  const int64_t C = op.logits.dim(1);
  const int64_t target = op.target.as<int64_t>()[n];
  const auto* const weight = op.class_weight.as<float>();
  const auto weight_of = [&](int64_t c) { return weight == nullptr ? 1.0f : weight[c]; };
  const T* const x = op.logits.as<T>() + n * C;
  T* const dx = op.dlogits.as<T>() + n * C;
  if (target == op.ignore_index || target < 0 || target >= C) {
    const float value = target == op.ignore_index ? 0.0f : nan;
    for (int64_t c = 0; c < C; ++c) dx[c] = T(value);
    return;
  }
  const float lse = op.log_sum_exp.as<float>()[n];
  const float hit = (1 - op.label_smoothing) * weight_of(target);
  const float spread = op.label_smoothing / static_cast<float>(C);
  for_stretches(0, C, [&](int64_t first, int64_t count) {
    const Vector p = exponential(load_channels(x + first, count) - lse);
    const Vector weights =
        weight == nullptr ? Vector{} + 1.0f : load_channels(weight + first, count);
    Vector expected{};
    if (first <= target && target < first + count) expected[target - first] = 1;
    const Vector g = hit * (p - expected) + spread * (weight_sum * p - weights);
    store_channels(dx + first, scale * g, count);
  });
}

void backward(const CrossEntropyBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t N = op.logits.dim(0), C = op.logits.dim(1);
  const float scale = *op.dloss.as<float>() / *op.total_weight.as<float>();
  const auto* const weight = op.class_weight.as<float>();
  float weight_sum = static_cast<float>(C);
  if (weight != nullptr) {
    weight_sum = 0;
    for (int64_t c = 0; c < C; ++c) weight_sum += weight[c];
  }
  visit_floating(op.logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(N, row_grain(C), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) backward_row<T>(op, n, scale, weight_sum);
    });
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_cross_entropy(Registry& registry) {
  registry.add<CrossEntropyForward>(
      {.name = "cpu", .accepts = cpu::accepts_forward, .run = cpu::forward});
  registry.add<CrossEntropyBackward>(
      {.name = "cpu", .accepts = cpu::accepts_backward, .run = cpu::backward});
}

}  // namespace burin
