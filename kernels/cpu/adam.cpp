#include "burin/kernels/adam.h"

#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;

/// What is the same for every element of a step.
struct StepConstants {
  float gradient_scale, decay_into_gradient, keep, beta1, beta2, step_size, inverse_correction2,
      epsilon;
};

StepConstants constants_of(const AdamStep& op) {
  const auto* const s = op.scalars.as<float>();
  const double learning_rate = static_cast<double>(s[scalar_learning_rate]);
  const double beta1 = static_cast<double>(s[scalar_momentum]);
  const double t = static_cast<double>(s[scalar_step]) + 1;
  const double correction1 = 1 - std::pow(beta1, t);
  const double correction2 = 1 - std::pow(static_cast<double>(op.beta2), t);
  const double decay = static_cast<double>(op.weight_decay);
  return {.gradient_scale = s[scalar_gradient_scale],
          .decay_into_gradient = op.decoupled_weight_decay ? 0 : op.weight_decay,
          .keep = op.decoupled_weight_decay ? static_cast<float>(1 - learning_rate * decay) : 1,
          .beta1 = s[scalar_momentum],
          .beta2 = op.beta2,
          .step_size = static_cast<float>(learning_rate / correction1),
          .inverse_correction2 = static_cast<float>(1 / correction2),
          .epsilon = op.epsilon};
}

/// Elements [begin, end) of one slot, all operands read and written once.
void step_slot(const AdamStep::Slot& slot, const StepConstants& k, int64_t begin, int64_t end) {
  auto* const p = slot.parameter.as<float>();
  const auto* const gradient = slot.gradient.as<float>();
  auto* const m = slot.first_moment.as<float>();
  auto* const v = slot.second_moment.as<float>();
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = k.gradient_scale * gradient[i] + k.decay_into_gradient * p[i];
    m[i] = k.beta1 * m[i] + (1 - k.beta1) * g;
    v[i] = k.beta2 * v[i] + (1 - k.beta2) * g * g;
    p[i] =
        k.keep * p[i] - k.step_size * m[i] / (std::sqrt(v[i] * k.inverse_correction2) + k.epsilon);
  }
}

void write_copy(const AdamStep::Slot& slot, int64_t begin, int64_t end) {
  visit_floating(slot.parameter_16.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = begin; i < end; ++i) {
      slot.parameter_16.as<T>()[i] = T(slot.parameter.as<float>()[i]);
    }
  });
}

Refusal accepts(const AdamStep& op, const Context& /*context*/) {
  for (const AdamStep::Slot& slot : op.slots) {
    const bool flat = same_dense_order(slot.parameter, slot.gradient) &&
                      same_dense_order(slot.parameter, slot.first_moment) &&
                      same_dense_order(slot.parameter, slot.second_moment) &&
                      (!slot.parameter_16 || same_dense_order(slot.parameter, slot.parameter_16));
    if (!flat) {
      return str("a parameter ", slot.parameter.shape,
                 " and its moments are not dense in one order");
    }
  }
  return {};
}

void run(const AdamStep& op, Workspace /*workspace*/, Stream& /*stream*/) {
  auto* const scalars = op.scalars.as<float>();
  if (scalars[scalar_found_inf] != 0) return;
  const StepConstants constants = constants_of(op);

  // One range over all parameters laid end to end, so that threads share the work evenly.
  std::vector<int64_t> first = {0};
  for (const AdamStep::Slot& slot : op.slots) {
    first.push_back(first.back() + slot.parameter.numel());
  }
  parallel_for(first.back(), grain, [&](int64_t begin, int64_t end) {
    for (size_t s = 0; s < op.slots.size(); ++s) {
      const int64_t from = std::max(begin, first[s]) - first[s];
      const int64_t to = std::min(end, first[s + 1]) - first[s];
      if (from >= to) continue;
      step_slot(op.slots[s], constants, from, to);
      if (op.slots[s].parameter_16) write_copy(op.slots[s], from, to);
    }
  });
  scalars[scalar_step] += 1;
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_adam(Registry& registry) {
  registry.add<AdamStep>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
