#include "burin/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/exponential.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// Rows a thread should have: about 16,000 elements.
int64_t row_grain(int64_t C) {
  return ceil_div(16 * 1024, std::max<int64_t>(C, 1));
}

// Sums of a row are kept in double: f32 would lose digits with a thousand terms of one sign.

/// `count` ≤ lanes neighbours, widened; minus infinity behind them.
template <class T>
Vector load_or_lowest(const T* from, int64_t count) {
  if (count == lanes) return load_widened(from);
  Vector v = Vector{} - __builtin_inff();
  for (int64_t i = 0; i < count; ++i) v[i] = static_cast<float>(from[i]);
  return v;
}

/// Calls f(values, first, count) for the vectors of elements [begin, end).
template <class T, class F>
void for_vectors(const T* row, int64_t begin, int64_t end, const F& f) {
  int64_t c = begin;
  for (; c + lanes <= end; c += lanes) f(load_widened(row + c), c, int64_t{lanes});
  if (c < end) f(load_or_lowest(row + c, end - c), c, end - c);
}

template <class T>
float top_of(const T* x, int64_t C) {
  Vector tops = load_or_lowest(x, std::min<int64_t>(C, lanes));
  for_vectors(x, 0, C,
              [&](Vector v, int64_t /*first*/, int64_t /*count*/) { tops = v > tops ? v : tops; });
  float top = tops[0];
  for (int i = 1; i < lanes; ++i) top = std::max(top, tops[i]);
  return top;
}

/// Σ exp(x − top)
template <class T>
double sum_of_exponentials(const T* x, int64_t C, float top) {
  constexpr int64_t block = 16 * lanes;  // short sums in f32, theirs in double
  double sum = 0;
  for (int64_t begin = 0; begin < C; begin += block) {
    Vector sums{};
    for_vectors(x, begin, std::min(begin + block, C),
                [&](Vector v, int64_t, int64_t) { sums += exponential(v - top); });
    for (int i = 0; i < lanes; ++i) sum += sums[i];
  }
  return sum;
}

template <class T>
void store_channels(T* to, const Vector& value, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    if (count == lanes) return store(to, value);
  }
  for (int64_t i = 0; i < count; ++i) to[i] = T(value[i]);
}

template <class T>
void forward_row(const T* x, T* y, int64_t C, bool log) {
  const float top = top_of(x, C);
  const double sum = sum_of_exponentials(x, C, top);
  const auto log_sum = static_cast<float>(std::log(sum));
  const auto scale = static_cast<float>(1 / sum);
  for_vectors(x, 0, C, [&](Vector v, int64_t first, int64_t count) {
    store_channels(y + first, log ? v - top - log_sum : exponential(v - top) * scale, count);
  });
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
