#include "burin/kernels/fill.h"

#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/random.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/loop_nest.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t constant_grain = 64 * 1024;  // elements a thread should have
constexpr int64_t random_grain = 4 * 1024;

struct RandomState {
  uint64_t seed;
  uint64_t offset;
};

/// Standard normal within ±2: tries the two pairs of words of block i, then those of i + 2⁴⁸, …
float truncated_normal(const RandomState& state, uint64_t i) {
  for (uint64_t block = i;; block += uint64_t{1} << 48) {
    const std::array<uint32_t, 4> words = philox(state.seed, state.offset, block);
    for (const size_t first : {0u, 2u}) {
      const float z = normal_from(words[first], words[first + 1]);
      if (std::abs(z) <= 2) return z;
    }
  }
}

/// Element i of the sequence.
float draw(const Fill& op, const RandomState& state, uint64_t i) {
  const auto a = static_cast<float>(op.a);
  const auto b = static_cast<float>(op.b);
  switch (op.kind) {
    case FillKind::constant:
      return a;
    case FillKind::uniform:
      return a + (b - a) * uniform_from(philox_word(state.seed, state.offset, i));
    case FillKind::normal: {
      const std::array<uint32_t, 4> words = philox(state.seed, state.offset, i);
      return a + b * normal_from(words[0], words[1]);
    }
    case FillKind::truncated_normal:
      return a + b * truncated_normal(state, i);
    case FillKind::bernoulli:
      return uniform_from(philox_word(state.seed, state.offset, i)) < a ? 1.0f : 0.0f;
  }
  return 0;
}

template <class T>
void fill_constant(const Fill& op) {
  const T value = convert<T>(op.a);
  T* const y = op.y.as<T>();
  const LoopNest<1> nest = make_loop_nest<1>(op.y.shape, {&op.y.strides});
  const int64_t stride = nest.inner().stride[0];
  parallel_for(nest.numel, constant_grain, [&](int64_t begin, int64_t end) {
    for_each_row(nest, begin, end, [&](const std::array<int64_t, 1>& offset, int64_t count) {
      for (int64_t i = 0; i < count; ++i) y[offset[0] + i * stride] = value;
    });
  });
}

template <class T>
void fill_random(const Fill& op) {
  auto* const words = op.state.as<int64_t>();
  const RandomState state{static_cast<uint64_t>(words[0]), static_cast<uint64_t>(words[1])};
  T* const y = op.y.as<T>();
  const LoopNest<1> nest = make_loop_nest<1>(op.y.shape, {&op.y.strides}, LoopOrder::logical);
  const int64_t stride = nest.inner().stride[0];
  parallel_for(nest.numel, random_grain, [&](int64_t begin, int64_t end) {
    auto index = static_cast<uint64_t>(begin);
    for_each_row(nest, begin, end, [&](const std::array<int64_t, 1>& offset, int64_t count) {
      for (int64_t i = 0; i < count; ++i) y[offset[0] + i * stride] = T(draw(op, state, index++));
    });
  });
  ++words[1];
}

Refusal accepts(const Fill& op, const Context& /*context*/) {
  if (op.kind == FillKind::constant) return {};
  if (!is_floating(op.y.dtype)) return str("random numbers as ", op.y.dtype);
  return op.state ? "" : "random numbers without a state";
}

void run(const Fill& op, Workspace /*workspace*/, Stream& /*stream*/) {
  if (op.kind == FillKind::constant) {
    visit_dtype(op.y.dtype, [&](auto tag) { fill_constant<typename decltype(tag)::type>(op); });
  } else {
    visit_floating(op.y.dtype, [&](auto tag) { fill_random<typename decltype(tag)::type>(op); });
  }
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_fill(Registry& registry) {
  registry.add<Fill>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
