#include "burin/kernels/activation.h"

#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

float gelu(float x) {
  return 0.5f * x * std::erfc(-x * 0.70710678118654752f);
}

float gelu_slope(float x) {
  const float cdf = 0.5f * std::erfc(-x * 0.70710678118654752f);
  return cdf + x * 0.39894228040143268f * std::exp(-0.5f * x * x);
}

float gelu_inner(float x) {
  return 0.79788456080286536f * (x + 0.044715f * x * x * x);
}

float gelu_tanh(float x) {
  return 0.5f * x * (1 + std::tanh(gelu_inner(x)));
}

float gelu_tanh_slope(float x) {
  const float t = std::tanh(gelu_inner(x));
  const float dt = (1 - t * t) * 0.79788456080286536f * (1 + 3 * 0.044715f * x * x);
  return 0.5f * (1 + t) + 0.5f * x * dt;
}

/// Calls use(f, slope) with the function and its derivative as written in the saved value.
template <class Use>
void with_activation(Activation kind, const Use& use) {
  switch (kind) {
    case Activation::none:
      return use([](float x) { return x; }, [](float) { return 1.0f; });
    case Activation::relu:  // written so that NaN, which compares as false, passes
      return use([](float x) { return x <= 0 ? 0.0f : x; },
                 [](float y) { return y <= 0 ? 0.0f : 1.0f; });
    case Activation::gelu:
      return use(gelu, gelu_slope);
    case Activation::gelu_tanh:
      return use(gelu_tanh, gelu_tanh_slope);
    case Activation::sigmoid:
      return use(sigmoid, [](float y) { return y * (1 - y); });
  }
}

Refusal accepts_forward(const ActivationForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  return same_dense_order(op.x, op.y) ? "" : "x and y are not dense in one layout";
}

void forward(const ActivationForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_activation(op.activation, [&](auto f, auto /*slope*/) {
      const T* const x = op.x.as<T>();
      T* const y = op.y.as<T>();
      parallel_for(op.x.numel(), grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = T(f(static_cast<float>(x[i])));
      });
    });
  });
}

Refusal accepts_backward(const ActivationBackward& op, const Context& /*context*/) {
  if (!is_floating(op.dy.dtype)) return str("dtype ", op.dy.dtype);
  const bool same = same_dense_order(op.dy, op.dx) && same_dense_order(op.dy, op.saved);
  return same ? "" : "dy, saved and dx are not dense in one layout";
}

void backward(const ActivationBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_activation(op.activation, [&](auto /*f*/, auto slope) {
      const T* const dy = op.dy.as<T>();
      const T* const saved = op.saved.as<T>();
      T* const dx = op.dx.as<T>();
      parallel_for(op.dy.numel(), grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          dx[i] = T(static_cast<float>(dy[i]) * slope(static_cast<float>(saved[i])));
        }
      });
    });
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_activation(Registry& registry) {
  registry.add<ActivationForward>(
      {.name = "cpu", .accepts = cpu::accepts_forward, .run = cpu::forward});
  registry.add<ActivationBackward>(
      {.name = "cpu", .accepts = cpu::accepts_backward, .run = cpu::backward});
}

}  // namespace burin
