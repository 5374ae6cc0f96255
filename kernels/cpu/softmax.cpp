#include "burin/kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// Rows a thread should have: about 16,000 elements.
int64_t row_grain(int64_t C) {
  return ceil_div(16 * 1024, std::max<int64_t>(C, 1));
}

// Row sums are kept in double: f32 would lose digits with a thousand terms of one sign.

template <class T>
void forward_row(const T* x, T* y, int64_t C, bool log) {
  float top = static_cast<float>(x[0]);
  for (int64_t c = 1; c < C; ++c) {
    const auto v = static_cast<float>(x[c]);
    if (!(v <= top)) top = v;  // NaN wins
  }
  double sum = 0;
  for (int64_t c = 0; c < C; ++c) sum += std::exp(static_cast<float>(x[c]) - top);
  const auto log_sum = static_cast<float>(std::log(sum));
  const auto scale = static_cast<float>(1 / sum);
  for (int64_t c = 0; c < C; ++c) {
    const float centred = static_cast<float>(x[c]) - top;
    y[c] = T(log ? centred - log_sum : std::exp(centred) * scale);
  }
}

template <class T>
void backward_row(const T* dy, const T* y, T* dx, int64_t C, bool log) {
  double sum = 0;  // Σ dy·y, or Σ dy for the logarithm
  for (int64_t c = 0; c < C; ++c) {
    sum += log ? static_cast<float>(dy[c]) : static_cast<float>(dy[c]) * static_cast<float>(y[c]);
  }
  const auto dot = static_cast<float>(sum);
  for (int64_t c = 0; c < C; ++c) {
    const auto g = static_cast<float>(dy[c]);
    const auto v = static_cast<float>(y[c]);
    dx[c] = T(log ? g - std::exp(v) * dot : v * (g - dot));
  }
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
      {.name = "cpu", .accepts = cpu::accepts_backward, .run = cpu::backward});
}

}  // namespace burin
