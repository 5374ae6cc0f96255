#include "burin/kernels/ema.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

Refusal accepts(const EmaStep& op, const Context& /*context*/) {
  for (const EmaStep::Slot& slot : op.slots) {
    if (!same_dense_order(slot.average, slot.value)) {
      return str("an average ", slot.average.shape, " and its value are not dense in one order");
    }
  }
  return {};
}

/// Elements [begin, end) of one slot.
void average(const EmaStep::Slot& slot, float decay, int64_t begin, int64_t end) {
  auto* const average = slot.average.as<float>();
  const auto* const value = slot.value.as<float>();
  const float share = 1 - decay;
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) average[i] = decay * average[i] + share * value[i];
}

void run(const EmaStep& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const float decay = op.decay.as<float>()[0];
  // One range over all tensors laid end to end, so that threads share the work evenly.
  std::vector<int64_t> first = {0};
  for (const EmaStep::Slot& slot : op.slots) first.push_back(first.back() + slot.average.numel());
  parallel_for(first.back(), grain, [&](int64_t begin, int64_t end) {
    for (size_t s = 0; s < op.slots.size(); ++s) {
      const int64_t from = std::max(begin, first[s]) - first[s];
      const int64_t to = std::min(end, first[s + 1]) - first[s];
      if (from < to) average(op.slots[s], decay, from, to);
    }
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_ema(Registry& registry) {
  registry.add<EmaStep>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
