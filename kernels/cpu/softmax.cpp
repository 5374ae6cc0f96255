#include "burin/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/exponential.h"
#include "burin/kernels/cpu/support/few_elements.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// exp(x − top) / Σ, or x − top − log Σ
template <class T>
void forward_row(const T* x, T* y, int64_t C, bool log) {
  const float top = top_of(x, C);
  const auto centred = [&](int64_t first, int64_t count) {
    return load_or_lowest(x + first, count) - top;
  };
  // In f32 y keeps the terms until their sum is known; 16 bits would round them twice.
  const bool kept = std::is_same_v<T, float> && !log;
  const double sum = sum_of(C, [&](int64_t first, int64_t count) {
    const Vector terms = exponential(centred(first, count));
    if (kept) store_channels(y + first, terms, count);
    return terms;
  });
  const auto log_sum = static_cast<float>(std::log(sum));
  const auto scale = static_cast<float>(1 / sum);
  for_stretches(0, C, [&](int64_t first, int64_t count) {
    const Vector value = kept  ? load_channels(y + first, count) * scale
                         : log ? centred(first, count) - log_sum
                               : exponential(centred(first, count)) * scale;
    store_channels(y + first, value, count);
  });
}

template <class T>
void backward_row(const T* dy, const T* y, T* dx, int64_t C, bool log) {
  const auto dot = static_cast<float>(sum_of(C, [&](int64_t first, int64_t count) {
    const Vector g = load_channels(dy + first, count);
    return log ? g : g * load_channels(y + first, count);
  }));
  for_stretches(0, C, [&](int64_t first, int64_t count) {
    const Vector g = load_channels(dy + first, count);
    const Vector v = load_channels(y + first, count);
    store_channels(dx + first, log ? g - exponential(v) * dot : v * (g - dot), count);
  });
}

Refusal accepts_forward(const SoftmaxForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  return op.x.is_contiguous() && op.y.is_contiguous() ? "" : "rows are not contiguous";
}

void forward(const SoftmaxForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t rows = op.x.dim(0), C = op.x.dim(1);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(rows, row_grain(C), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        forward_row(op.x.as<T>() + r * C, op.y.as<T>() + r * C, C, op.log);
      }
    });
  });
}

Refusal accepts_backward(const SoftmaxBackward& op, const Context& /*context*/) {
  if (!is_floating(op.dy.dtype)) return str("dtype ", op.dy.dtype);
  const bool contiguous = op.dy.is_contiguous() && op.y.is_contiguous() && op.dx.is_contiguous();
  return contiguous ? "" : "rows are not contiguous";
}

void backward(const SoftmaxBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t rows = op.dy.dim(0), C = op.dy.dim(1);
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(rows, row_grain(C), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        backward_row(op.dy.as<T>() + r * C, op.y.as<T>() + r * C, op.dx.as<T>() + r * C, C, op.log);
      }
    });
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_softmax(Registry& registry) {
  registry.add<SoftmaxForward>(
      {.name = "cpu", .accepts = cpu::accepts_forward, .run = cpu::forward});
  registry.add<SoftmaxBackward>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = cpu::accepts_backward,
       .prefers = [](const SoftmaxBackward& op,
                     const Context& /*context*/) { return op.dy.numel() <= cpu::few_elements; },
       .run = cpu::backward});
}

}  // namespace burin
