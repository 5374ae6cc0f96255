// Constants and random numbers, handwritten. Philox gives every element its own block, so any
// thread can draw any element.
//   naive  one thread per element; a uniform one uses a quarter of the block it draws
#include "burin/kernels/fill.h"

#include "burin/kernels/cuda/support/convert.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/loop_nest.h"
#include "burin/kernels/cuda/support/philox.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void fill_constant(T* y, double value, LoopNest<1> nest) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < nest.numel) y[nest.offsets(i).at[0]] = convert<T>(value);
}

/// Standard normal within ±2: tries the two pairs of words of block i, then those of i + 2⁴⁸, …
__device__ float truncated_normal(uint64_t seed, uint64_t offset, uint64_t i) {
  for (uint64_t block = i;; block += uint64_t{1} << 48) {
    const auto words = philox(seed, offset, block);
    const float first = normal_of(words[0], words[1]);
    if (fabsf(first) <= 2) return first;
    const float second = normal_of(words[2], words[3]);
    if (fabsf(second) <= 2) return second;
  }
}

__device__ float draw(FillKind kind, float a, float b, const int64_t* state, uint64_t i) {
  const uint64_t seed = static_cast<uint64_t>(state[0]);
  const uint64_t offset = static_cast<uint64_t>(state[1]);
  switch (kind) {
    case FillKind::uniform:
      return a + (b - a) * uniform_from(philox_word(seed, offset, i));
    case FillKind::normal: {
      const auto words = philox(seed, offset, i);
      return a + b * normal_of(words[0], words[1]);
    }
    case FillKind::truncated_normal:
      return a + b * truncated_normal(seed, offset, i);
    case FillKind::bernoulli:
      return uniform_from(philox_word(seed, offset, i)) < a ? 1.0f : 0.0f;
    case FillKind::constant:
      break;
  }
  return a;
}

template <class T>
__global__ void fill_random(T* y, FillKind kind, float a, float b, const int64_t* state,
                            LoopNest<1> nest) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= nest.numel) return;
  y[nest.offsets(i).at[0]] = T(draw(kind, a, b, state, static_cast<uint64_t>(i)));
}

/// A launch of its own: every block of the one before reads the offset.
__global__ void advance_offset(int64_t* state) {
  state[1] += 1;
}

Refusal accepts(const Fill& op, const Context& /*context*/) {
  if (op.kind == FillKind::constant) return {};
  if (!is_floating(op.y.dtype)) return str("random numbers as ", op.y.dtype);
  return op.state ? "" : "random numbers without a state";
}

template <class T>
void queue_constant(const Fill& op, Stream& stream) {
  const LoopNest<1> nest = make_loop_nest<1>(op.y.shape, {&op.y.strides});
  launch(fill_constant<T>, {blocks_for(nest.numel, threads), threads, 0, stream}, op.y.as<T>(),
         op.a, nest);
}

void run(const Fill& op, Workspace /*workspace*/, Stream& stream) {
  if (op.kind == FillKind::constant) {
    if (op.y.dtype == DType::i64) return queue_constant<int64_t>(op, stream);
    if (op.y.dtype == DType::i32) return queue_constant<int32_t>(op, stream);
    if (op.y.dtype == DType::u8) return queue_constant<uint8_t>(op, stream);
    visit_element(op.y.dtype,
                  [&](auto tag) { queue_constant<typename decltype(tag)::type>(op, stream); });
    return;
  }
  // Elements are numbered in logical order, whatever their strides.
  const LoopNest<1> nest = make_loop_nest<1>(op.y.shape, {&op.y.strides}, LoopOrder::logical);
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(fill_random<T>, {blocks_for(nest.numel, threads), threads, 0, stream}, op.y.as<T>(),
           op.kind, static_cast<float>(op.a), static_cast<float>(op.b), op.state.as<int64_t>(),
           nest);
  });
  launch(advance_offset, {1, 1, 0, stream}, op.state.as<int64_t>());
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_fill(Registry& registry) {
  cuda::add<Fill>(registry, {.name = "cuda/naive", .accepts = cuda::accepts, .run = cuda::run});
}

}  // namespace burin
