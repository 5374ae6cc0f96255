#include "burin/kernels/dropout.h"

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/random.h"
#include "burin/kernels/cpu/support/loop_nest.h"
#include "burin/kernels/cpu/support/philox_batch.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 8 * 1024;  // elements a thread should have before a second one helps

/// y = x · mask / (1 − p), the mask drawn from {seed, offset}. In logical order, which is what
/// elements are numbered by: only a row-major tensor is also read and written in the order of its
/// memory.
template <class T>
void apply_mask(const ConstView& x_view, const View& y_view, const int64_t* seed_and_offset,
                float p) {
  const auto nest =
      make_loop_nest<2>(y_view.shape, {&y_view.strides, &x_view.strides}, LoopOrder::logical);
  const auto seed = static_cast<uint64_t>(seed_and_offset[0]);
  const auto offset = static_cast<uint64_t>(seed_and_offset[1]);
  const float scale = p < 1 ? 1 / (1 - p) : 0;
  const int64_t stride = nest.inner().stride[0];

  parallel_for(nest.numel, grain, [&](int64_t begin, int64_t end) {
    int64_t element = begin;
    for_each_row(nest, begin, end, [&](const std::array<int64_t, 2>& at, int64_t count) {
      const T* x = x_view.as<T>() + at[1] - element * stride;
      T* y = y_view.as<T>() + at[0] - element * stride;
      for_each_philox_words(
          seed, offset, element, element + count, [&](const uint32_t* word, int64_t i, int64_t n) {
#pragma omp simd
            for (int64_t k = 0; k < n; ++k) {
              const bool kept = uniform_from(word[k]) >= p;
              y[(i + k) * stride] = T(kept ? float(x[(i + k) * stride]) * scale : 0.0f);
            }
          });
      element += count;
    });
  });
}

/// Why the operands do not fit, or empty. `x` and `y` stand for dy and dx too.
Refusal accepts(const ConstView& x, const View& y, float p) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (y.dtype != x.dtype) return "input and output have different dtypes";
  if (y.shape != x.shape) return str("input ", x.shape, " and output ", y.shape, " differ");
  if (!(p >= 0 && p <= 1)) return str("p is ", p, ", not in [0, 1]");
  return make_loop_nest<2>(y.shape, {&y.strides, &x.strides}).is_flat()
             ? ""
             : "input and output are not dense in one layout";
}

Refusal accepts_forward(const DropoutForward& op, const Context& /*context*/) {
  return accepts(op.x, op.y, op.p);
}

void forward(const DropoutForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  int64_t* const state = op.state.as<int64_t>();
  std::copy_n(state, 2, op.used.as<int64_t>());
  ++state[1];
  visit_floating(op.x.dtype, [&](auto tag) {
    apply_mask<typename decltype(tag)::type>(op.x, op.y, op.used.as<int64_t>(), op.p);
  });
}

Refusal accepts_backward(const DropoutBackward& op, const Context& /*context*/) {
  return accepts(op.dy, op.dx, op.p);
}

void backward(const DropoutBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.dy.dtype, [&](auto tag) {
    apply_mask<typename decltype(tag)::type>(op.dy, op.dx, op.used.as<int64_t>(), op.p);
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_dropout(Registry& registry) {
  registry.add<DropoutForward>(
      {.name = "cpu", .accepts = cpu::accepts_forward, .run = cpu::forward});
  registry.add<DropoutBackward>(
      {.name = "cpu", .accepts = cpu::accepts_backward, .run = cpu::backward});
}

}  // namespace burin
