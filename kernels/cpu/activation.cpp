#include "burin/kernels/activation.h"

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/activation_functions.h"
#include "burin/kernels/cpu/support/few_elements.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

Refusal accepts_forward(const ActivationForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  return same_dense_order(op.x, op.y) ? "" : "x and y are not dense in one layout";
}

void forward(const ActivationForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_activation(op.activation, [&](auto f, auto /*gradient*/) {
      const T* const x = op.x.as<T>();
      T* const y = op.y.as<T>();
      parallel_for(op.x.numel(), grain, [&](int64_t begin, int64_t end) {
        for_stretches(begin, end, [&](int64_t first, int64_t count) {
          store_channels(y + first, f(load_channels(x + first, count)), count);
        });
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
    with_activation(op.activation, [&](auto /*f*/, auto gradient) {
      const T* const dy = op.dy.as<T>();
      const T* const saved = op.saved.as<T>();
      T* const dx = op.dx.as<T>();
      parallel_for(op.dy.numel(), grain, [&](int64_t begin, int64_t end) {
        for_stretches(begin, end, [&](int64_t first, int64_t count) {
          const Vector value =
              gradient(load_channels(dy + first, count), load_channels(saved + first, count));
          store_channels(dx + first, value, count);
        });
      });
    });
  });
}

bool prefers_backward(const ActivationBackward& op, const Context& /*context*/) {
  return op.activation == Activation::sigmoid || op.dy.numel() <= few_elements;
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_activation(Registry& registry) {
  registry.add<ActivationForward>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = cpu::accepts_forward,
       .prefers = [](const ActivationForward& op,
                     const Context& /*context*/) { return op.x.numel() <= cpu::few_elements; },
       .run = cpu::forward});
  registry.add<ActivationBackward>({.name = "cpu",
                                    .place = place::before_vendor,
                                    .accepts = cpu::accepts_backward,
                                    .prefers = cpu::prefers_backward,
                                    .run = cpu::backward});
}

}  // namespace burin
