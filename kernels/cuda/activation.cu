// Pointwise activations, handwritten. From plain to fast; `--impl activation=cuda/<name>` runs one.
//   naive   one thread per element                        a bf16 warp moves 64 bytes an instruction
//   vector  16 bytes per thread and load, tail by hand    bound by memory: each byte moves once
#include "burin/kernels/activation.h"

#include "burin/kernels/cuda/support/activation_functions.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void activation_forward_naive(const T* x, T* y, int64_t count, Activation kind) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) y[i] = T(activate(kind, float(x[i])));
}

template <class T>
__global__ void activation_backward_naive(const T* dy, const T* saved, T* dx, int64_t count,
                                          Activation kind) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) dx[i] = T(activation_gradient(kind, float(dy[i]), float(saved[i])));
}

/// Variant `vector`: thread i owns packet i; the last one may be short.
template <class T>
__global__ void activation_forward_vector(const T* x, T* y, int64_t count, Activation kind) {
  constexpr int n = Packet<T>::size;
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * n;
  if (first + n <= count) {
    const Packet<T> in = *reinterpret_cast<const Packet<T>*>(x + first);
    Packet<T> out;
    for (int k = 0; k < n; ++k) out.at[k] = T(activate(kind, float(in.at[k])));
    *reinterpret_cast<Packet<T>*>(y + first) = out;
  } else {
    for (int64_t i = first; i < count; ++i) y[i] = T(activate(kind, float(x[i])));
  }
}

template <class T>
__global__ void activation_backward_vector(const T* dy, const T* saved, T* dx, int64_t count,
                                           Activation kind) {
  constexpr int n = Packet<T>::size;
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * n;
  if (first + n <= count) {
    const Packet<T> g = *reinterpret_cast<const Packet<T>*>(dy + first);
    const Packet<T> kept = *reinterpret_cast<const Packet<T>*>(saved + first);
    Packet<T> out;
    for (int k = 0; k < n; ++k) {
      out.at[k] = T(activation_gradient(kind, float(g.at[k]), float(kept.at[k])));
    }
    *reinterpret_cast<Packet<T>*>(dx + first) = out;
  } else {
    for (int64_t i = first; i < count; ++i) {
      dx[i] = T(activation_gradient(kind, float(dy[i]), float(saved[i])));
    }
  }
}

Refusal accepts_forward(const ActivationForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  return same_dense_order(op.x, op.y) ? "" : "x and y are not dense in one layout";
}

Refusal accepts_forward_vector(const ActivationForward& op, const Context& context) {
  if (Refusal refusal = accepts_forward(op, context); !refusal.empty()) return refusal;
  return is_aligned(op.x) && is_aligned(op.y) ? "" : "x or y does not begin at 16 bytes";
}

Refusal accepts_backward(const ActivationBackward& op, const Context& /*context*/) {
  if (!is_floating(op.dy.dtype)) return str("dtype ", op.dy.dtype);
  const bool same = same_dense_order(op.dy, op.dx) && same_dense_order(op.dy, op.saved);
  return same ? "" : "dy, saved and dx are not dense in one layout";
}

Refusal accepts_backward_vector(const ActivationBackward& op, const Context& context) {
  if (Refusal refusal = accepts_backward(op, context); !refusal.empty()) return refusal;
  const bool aligned = is_aligned(op.dy) && is_aligned(op.saved) && is_aligned(op.dx);
  return aligned ? "" : "dy, saved or dx does not begin at 16 bytes";
}

void forward_naive(const ActivationForward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.x.numel();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(activation_forward_naive<T>, {blocks_for(count, threads), threads, 0, stream},
           op.x.as<T>(), op.y.as<T>(), count, op.activation);
  });
}

void forward_vector(const ActivationForward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.x.numel();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid = blocks_for(count, int64_t{threads} * Packet<T>::size);
    launch(activation_forward_vector<T>, {grid, threads, 0, stream}, op.x.as<T>(), op.y.as<T>(),
           count, op.activation);
  });
}

void backward_naive(const ActivationBackward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.dy.numel();
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(activation_backward_naive<T>, {blocks_for(count, threads), threads, 0, stream},
           op.dy.as<T>(), op.saved.as<T>(), op.dx.as<T>(), count, op.activation);
  });
}

void backward_vector(const ActivationBackward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.dy.numel();
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid = blocks_for(count, int64_t{threads} * Packet<T>::size);
    launch(activation_backward_vector<T>, {grid, threads, 0, stream}, op.dy.as<T>(),
           op.saved.as<T>(), op.dx.as<T>(), count, op.activation);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_activation(Registry& registry) {
  cuda::add<ActivationForward>(registry, {.name = "cuda/vector",
                                          .accepts = cuda::accepts_forward_vector,
                                          .run = cuda::forward_vector});
  cuda::add<ActivationForward>(registry, {.name = "cuda/naive",
                                          .place = place::plain,
                                          .accepts = cuda::accepts_forward,
                                          .run = cuda::forward_naive});
  cuda::add<ActivationBackward>(registry, {.name = "cuda/vector",
                                           .accepts = cuda::accepts_backward_vector,
                                           .run = cuda::backward_vector});
  cuda::add<ActivationBackward>(registry, {.name = "cuda/naive",
                                           .place = place::plain,
                                           .accepts = cuda::accepts_backward,
                                           .run = cuda::backward_naive});
}

}  // namespace burin
