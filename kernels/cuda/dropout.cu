// Dropout, handwritten: the mask is drawn twice, never stored. `--impl dropout=cuda/<name>`.
//   naive  one thread per element, any dense layout; uses a quarter of the Philox block it draws
//   four   one thread per block of four words, row-major tensors: a quarter of the arithmetic
#include "burin/kernels/dropout.h"

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/loop_nest.h"
#include "burin/kernels/cuda/support/philox.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

/// A launch of its own: every thread of the one that follows reads `used`.
__global__ void take_state(int64_t* state, int64_t* used) {
  used[0] = state[0];
  used[1] = state[1];
  state[1] += 1;
}

template <class T>
__global__ void dropout_naive(const T* x, T* y, const int64_t* used, float p, float scale,
                              LoopNest<1> nest) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= nest.numel) return;
  const int64_t at = nest.offsets(i).at[0];
  const uint32_t word = philox_word(static_cast<uint64_t>(used[0]), static_cast<uint64_t>(used[1]),
                                    static_cast<uint64_t>(i));
  y[at] = T(uniform_from(word) >= p ? float(x[at]) * scale : 0.0f);
}

/// Variant `four`: thread i owns elements 4·i … 4·i + 3.
template <class T>
__global__ void dropout_four(const T* x, T* y, const int64_t* used, float p, float scale,
                             int64_t count) {
  const int64_t block = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t first = block * 4;
  if (first >= count) return;
  const auto words = philox(static_cast<uint64_t>(used[0]), static_cast<uint64_t>(used[1]),
                            static_cast<uint64_t>(block));
  struct alignas(4 * sizeof(T)) Four {
    T at[4];
  };
  if (first + 4 <= count) {
    const Four in = *reinterpret_cast<const Four*>(x + first);
    Four out;
    for (int k = 0; k < 4; ++k) {
      out.at[k] = T(uniform_from(words[k]) >= p ? float(in.at[k]) * scale : 0.0f);
    }
    *reinterpret_cast<Four*>(y + first) = out;
  } else {
    for (int k = 0; first + k < count; ++k) {
      y[first + k] = T(uniform_from(words[k]) >= p ? float(x[first + k]) * scale : 0.0f);
    }
  }
}

/// Why the operands do not fit, or empty. `x` and `y` stand for dy and dx too.
Refusal accepts_images(const ConstView& x, const View& y, float p) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (y.dtype != x.dtype) return "input and output have different dtypes";
  if (y.shape != x.shape) return str("input ", x.shape, " and output ", y.shape, " differ");
  if (!(p >= 0 && p <= 1)) return str("p is ", p, ", not in [0, 1]");
  return make_loop_nest<2>(y.shape, {&y.strides, &x.strides}).is_flat()
             ? ""
             : "input and output are not dense in one layout";
}

Refusal accepts_rows(const ConstView& x, const View& y, float p) {
  if (Refusal refusal = accepts_images(x, y, p); !refusal.empty()) return refusal;
  if (!x.is_contiguous()) return "not row-major: the words of a block are not neighbours";
  const bool aligned = reinterpret_cast<uintptr_t>(x.data) % 16 == 0 &&
                       reinterpret_cast<uintptr_t>(y.data) % 16 == 0;
  return aligned ? "" : "input or output does not begin at 16 bytes";
}

float scale_of(float p) {
  return p < 1 ? 1 / (1 - p) : 0;
}

void apply_naive(const ConstView& x, const View& y, const void* used, float p, Stream& stream) {
  const LoopNest<1> nest = make_loop_nest<1>(y.shape, {&y.strides}, LoopOrder::logical);
  visit_element(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(dropout_naive<T>, {blocks_for(nest.numel, threads), threads, 0, stream}, x.as<T>(),
           y.as<T>(), static_cast<const int64_t*>(used), p, scale_of(p), nest);
  });
}

void apply_four(const ConstView& x, const View& y, const void* used, float p, Stream& stream) {
  const int64_t count = x.numel();
  visit_element(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(dropout_four<T>, {blocks_for(count, int64_t{threads} * 4), threads, 0, stream},
           x.as<T>(), y.as<T>(), static_cast<const int64_t*>(used), p, scale_of(p), count);
  });
}

using Accepts = Refusal (*)(const ConstView&, const View&, float);
using Apply = void (*)(const ConstView&, const View&, const void*, float, Stream&);

template <Accepts accepts>
Refusal accepts_forward(const DropoutForward& op, const Context& /*context*/) {
  return accepts(op.x, op.y, op.p);
}
template <Accepts accepts>
Refusal accepts_backward(const DropoutBackward& op, const Context& /*context*/) {
  return accepts(op.dy, op.dx, op.p);
}

template <Apply apply>
void forward(const DropoutForward& op, Workspace /*workspace*/, Stream& stream) {
  launch(take_state, {1, 1, 0, stream}, op.state.as<int64_t>(), op.used.as<int64_t>());
  apply(op.x, op.y, op.used.data, op.p, stream);
}
template <Apply apply>
void backward(const DropoutBackward& op, Workspace /*workspace*/, Stream& stream) {
  apply(op.dy, op.dx, op.used.data, op.p, stream);
}

template <Accepts accepts, Apply apply>
void add_both(Registry& registry, std::string_view name, int place) {
  add<DropoutForward>(
      registry,
      {.name = name, .place = place, .accepts = accepts_forward<accepts>, .run = forward<apply>});
  add<DropoutBackward>(
      registry,
      {.name = name, .place = place, .accepts = accepts_backward<accepts>, .run = backward<apply>});
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_dropout(Registry& registry) {
  using namespace cuda;
  add_both<accepts_rows, apply_four>(registry, "cuda/four", place::handwritten);
  add_both<accepts_images, apply_naive>(registry, "cuda/naive", place::plain);
}

}  // namespace burin
