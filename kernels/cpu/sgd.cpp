#include "burin/kernels/sgd.h"

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

/// What is the same for every element of a step.
struct StepConstants {
  float learning_rate;
  float gradient_scale;
  float weight_decay;
  float momentum;
  float keep;  // of the buffer: 0 in the first step
  bool nesterov;
};

StepConstants constants_of(const SgdStep& op) {
  const auto* const s = op.scalars.as<float>();
  const float momentum = s[scalar_momentum];
  return {.learning_rate = s[scalar_learning_rate],
          .gradient_scale = s[scalar_gradient_scale],
          .weight_decay = op.weight_decay,
          .momentum = momentum,
          .keep = s[scalar_step] == 0 ? 0 : momentum,
          .nesterov = op.nesterov};
}

/// Without a decay p adds nothing: 0 · ∞ would be NaN.
float decayed(float gradient, float p, const StepConstants& k) {
  const float g = k.gradient_scale * gradient;
  return k.weight_decay == 0 ? g : g + k.weight_decay * p;
}

/// Elements [begin, end) of one slot with momentum, all operands read and written once.
void step_with_momentum(const SgdStep::Slot& slot, const StepConstants& k, int64_t begin,
                        int64_t end) {
  auto* const p = slot.parameter.as<float>();
  const auto* const gradient = slot.gradient.as<float>();
  auto* const buffer = slot.momentum_buffer.as<float>();
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = decayed(gradient[i], p[i], k);
    // A fresh buffer may hold anything, NaN too: 0 · NaN would stay.
    const float b = k.keep == 0 ? g : k.keep * buffer[i] + g;
    buffer[i] = b;
    p[i] -= k.learning_rate * (k.nesterov ? g + k.momentum * b : b);
  }
}

void step_without_momentum(const SgdStep::Slot& slot, const StepConstants& k, int64_t begin,
                           int64_t end) {
  auto* const p = slot.parameter.as<float>();
  const auto* const gradient = slot.gradient.as<float>();
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = decayed(gradient[i], p[i], k);
    p[i] -= k.learning_rate * g;
  }
}

void write_copy(const SgdStep::Slot& slot, int64_t begin, int64_t end) {
  visit_floating(slot.parameter_16.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto* const from = slot.parameter.as<float>();
    T* const to = slot.parameter_16.as<T>();
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) to[i] = convert<T>(from[i]);
  });
}

Refusal accepts(const SgdStep& op, const Context& /*context*/) {
  for (const SgdStep::Slot& slot : op.slots) {
    const auto fits = [&](const auto& other) {
      return !other || same_dense_order(slot.parameter, other);
    };
    if (!same_dense_order(slot.parameter, slot.gradient) || !fits(slot.momentum_buffer) ||
        !fits(slot.parameter_16)) {
      return str("a parameter ", slot.parameter.shape,
                 " and what belongs to it are not dense in one order");
    }
    if (op.nesterov && !slot.momentum_buffer) return "nesterov needs momentum buffers";
  }
  return {};
}

void run(const SgdStep& op, Workspace /*workspace*/, Stream& /*stream*/) {
  auto* const scalars = op.scalars.as<float>();
  if (scalars[scalar_found_inf] != 0) return;
  const StepConstants constants = constants_of(op);

  // One range over all parameters laid end to end, so that threads share the work evenly.
  std::vector<int64_t> first = {0};
  for (const SgdStep::Slot& slot : op.slots) {
    first.push_back(first.back() + slot.parameter.numel());
  }
  parallel_for(first.back(), grain, [&](int64_t begin, int64_t end) {
    for (size_t s = 0; s < op.slots.size(); ++s) {
      const SgdStep::Slot& slot = op.slots[s];
      const int64_t from = std::max(begin, first[s]) - first[s];
      const int64_t to = std::min(end, first[s + 1]) - first[s];
      if (from >= to) continue;
      if (slot.momentum_buffer) {
        step_with_momentum(slot, constants, from, to);
      } else {
        step_without_momentum(slot, constants, from, to);
      }
      if (slot.parameter_16) write_copy(slot, from, to);
    }
  });
  scalars[scalar_step] += 1;
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_sgd(Registry& registry) {
  registry.add<SgdStep>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
