// Arithmetic element by element, handwritten. `--impl elementwise=cuda/<name>` runs one.
//   naive   one thread per element; operands may have any strides and broadcast
//   vector  all operands dense in one order: 16 bytes per thread and load, 64 under way at once
#include "burin/kernels/elementwise.h"

#include <type_traits>

#include "burin/kernels/cuda/support/convert.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/loop_nest.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

/// All threads of a launch have the same kind; `vector` branches on it once a thread and then calls
/// this with a constant.
__device__ float combine(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::subtract:
      return a - b;
    case BinaryKind::multiply:
      return a * b;
    case BinaryKind::divide:
      return a / b;
    case BinaryKind::maximum:  // NaN on either side wins
      return a != a || a > b ? a : b;
    case BinaryKind::minimum:
      return a != a || a < b ? a : b;
  }
  return a;
}

/// Wraps around, hence the unsigned arithmetic.
__device__ int64_t combine(BinaryKind kind, int64_t a, int64_t b) {
  const uint64_t u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
  switch (kind) {
    case BinaryKind::add:
      return static_cast<int64_t>(u + v);
    case BinaryKind::subtract:
      return static_cast<int64_t>(u - v);
    case BinaryKind::multiply:
      return static_cast<int64_t>(u * v);
    case BinaryKind::maximum:
      return a > b ? a : b;
    case BinaryKind::minimum:
      return a < b ? a : b;
    case BinaryKind::divide:
      break;  // refused
  }
  return a;
}

struct Unary {
  UnaryKind kind;
  float scale;
  float shift;
};

__device__ float apply(UnaryKind kind, const Unary& f, float x) {
  switch (kind) {
    case UnaryKind::affine:
      return f.scale * x + f.shift;
    case UnaryKind::exp:
      return expf(x);
    case UnaryKind::log:
      return logf(x);
    case UnaryKind::sqrt:
      return sqrtf(x);
    case UnaryKind::reciprocal:
      return 1 / x;
    case UnaryKind::abs:
      return fabsf(x);
    case UnaryKind::sign:  // the last x is ±0 or NaN
      return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
  }
  return x;
}

/// float for the floating dtypes, int64_t itself.
template <class T>
using Arithmetic = std::conditional_t<std::is_integral_v<T>, T, float>;

template <class T>
__global__ void binary_naive(const T* a, const T* b, T* y, BinaryKind kind, LoopNest<3> nest) {
  using A = Arithmetic<T>;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= nest.numel) return;
  const Offsets<3> offsets = nest.offsets(i);
  y[offsets.at[0]] = T(combine(kind, A(a[offsets.at[1]]), A(b[offsets.at[2]])));
}

template <auto kind>
using Constant = std::integral_constant<decltype(kind), kind>;

/// Calls f(kind) with the kind as a compile-time constant.
template <class F>
__device__ void with_constant(BinaryKind kind, const F& f) {
  switch (kind) {
    case BinaryKind::add:
      return f(Constant<BinaryKind::add>());
    case BinaryKind::subtract:
      return f(Constant<BinaryKind::subtract>());
    case BinaryKind::multiply:
      return f(Constant<BinaryKind::multiply>());
    case BinaryKind::divide:
      return f(Constant<BinaryKind::divide>());
    case BinaryKind::maximum:
      return f(Constant<BinaryKind::maximum>());
    case BinaryKind::minimum:
      return f(Constant<BinaryKind::minimum>());
  }
}
template <class F>
__device__ void with_constant(UnaryKind kind, const F& f) {
  switch (kind) {
    case UnaryKind::affine:
      return f(Constant<UnaryKind::affine>());
    case UnaryKind::exp:
      return f(Constant<UnaryKind::exp>());
    case UnaryKind::log:
      return f(Constant<UnaryKind::log>());
    case UnaryKind::sqrt:
      return f(Constant<UnaryKind::sqrt>());
    case UnaryKind::reciprocal:
      return f(Constant<UnaryKind::reciprocal>());
    case UnaryKind::abs:
      return f(Constant<UnaryKind::abs>());
    case UnaryKind::sign:
      return f(Constant<UnaryKind::sign>());
  }
}

/// Packets a thread of `vector` owns, of each operand: 64 bytes of all that it reads.
constexpr int binary_packets = 2;
constexpr int unary_packets = 4;

/// Where a thread's packet i begins, of `packets`: neighbours in a block are neighbours in memory.
template <class T, int packets>
__device__ int64_t first_of_packet(int i) {
  return ((int64_t(blockIdx.x) * packets + i) * threads + threadIdx.x) * Packet<T>::size;
}
/// Whether all packets of all threads of the block lie within `count` elements. Then they can be
/// asked for without a test between them.
template <class T, int packets>
__device__ bool is_whole_block(int64_t count) {
  return (int64_t(blockIdx.x) + 1) * packets * threads * Packet<T>::size <= count;
}
template <class T>
__device__ Packet<T> packet_at(const T* from) {
  return *reinterpret_cast<const Packet<T>*>(from);
}

template <class T>
__global__ void binary_vector(const T* a, const T* b, T* y, int64_t count, BinaryKind kind) {
  using A = Arithmetic<T>;
  constexpr int n = Packet<T>::size, packets = binary_packets;
  with_constant(kind, [&](auto constant) {
    const auto store = [&](int64_t first, const Packet<T>& left, const Packet<T>& right) {
      Packet<T> out;
      for (int k = 0; k < n; ++k) {
        out.at[k] = T(combine(constant, A(left.at[k]), A(right.at[k])));
      }
      *reinterpret_cast<Packet<T>*>(y + first) = out;
    };
    if (is_whole_block<T, packets>(count)) {
      Packet<T> left[packets], right[packets];
#pragma unroll
      for (int i = 0; i < packets; ++i) {
        left[i] = packet_at(a + first_of_packet<T, packets>(i));
        right[i] = packet_at(b + first_of_packet<T, packets>(i));
      }
#pragma unroll
      for (int i = 0; i < packets; ++i) store(first_of_packet<T, packets>(i), left[i], right[i]);
      return;
    }
    for (int i = 0; i < packets; ++i) {
      const int64_t first = first_of_packet<T, packets>(i);
      if (first + n <= count) {
        store(first, packet_at(a + first), packet_at(b + first));
      } else {
        for (int64_t e = first; e < count; ++e) y[e] = T(combine(constant, A(a[e]), A(b[e])));
      }
    }
  });
}

template <class T>
__global__ void unary_naive(const T* x, T* y, int64_t count, Unary f) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) y[i] = T(apply(f.kind, f, float(x[i])));
}

template <class T>
__global__ void unary_vector(const T* x, T* y, int64_t count, Unary f) {
  constexpr int n = Packet<T>::size, packets = unary_packets;
  with_constant(f.kind, [&](auto constant) {
    const auto store = [&](int64_t first, const Packet<T>& in) {
      Packet<T> out;
      for (int k = 0; k < n; ++k) out.at[k] = T(apply(constant, f, float(in.at[k])));
      *reinterpret_cast<Packet<T>*>(y + first) = out;
    };
    if (is_whole_block<T, packets>(count)) {
      Packet<T> in[packets];
#pragma unroll
      for (int i = 0; i < packets; ++i) in[i] = packet_at(x + first_of_packet<T, packets>(i));
#pragma unroll
      for (int i = 0; i < packets; ++i) store(first_of_packet<T, packets>(i), in[i]);
      return;
    }
    for (int i = 0; i < packets; ++i) {
      const int64_t first = first_of_packet<T, packets>(i);
      if (first + n <= count) {
        store(first, packet_at(x + first));
      } else {
        for (int64_t e = first; e < count; ++e) y[e] = T(apply(constant, f, float(x[e])));
      }
    }
  });
}

LoopNest<3> nest_of(const ElementwiseBinary& op) {
  const Strides as = broadcast_strides(op.a, op.y.shape);
  const Strides bs = broadcast_strides(op.b, op.y.shape);
  return make_loop_nest<3>(op.y.shape, {&op.y.strides, &as, &bs});
}

template <class F>
void visit_operand(DType dtype, const F& f) {
  if (dtype == DType::i64) return f(TypeTag<int64_t>{});
  visit_element(dtype, f);
}

Refusal accepts_binary(const ElementwiseBinary& op, const Context& /*context*/) {
  return breach_of(op);
}

Refusal accepts_binary_vector(const ElementwiseBinary& op, const Context& context) {
  if (Refusal refusal = accepts_binary(op, context); !refusal.empty()) return refusal;
  if (!nest_of(op).is_flat()) return "a, b and y are not dense in one order";
  const bool aligned = is_aligned(op.a) && is_aligned(op.b) && is_aligned(op.y);
  return aligned ? "" : "a, b or y does not begin at 16 bytes";
}

void run_binary_naive(const ElementwiseBinary& op, Workspace /*workspace*/, Stream& stream) {
  const LoopNest<3> nest = nest_of(op);
  visit_operand(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(binary_naive<T>, {blocks_for(nest.numel, threads), threads, 0, stream}, op.a.as<T>(),
           op.b.as<T>(), op.y.as<T>(), op.kind, nest);
  });
}

void run_binary_vector(const ElementwiseBinary& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.y.numel();
  visit_operand(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid = blocks_for(count, int64_t{threads} * binary_packets * Packet<T>::size);
    launch(binary_vector<T>, {grid, threads, 0, stream}, op.a.as<T>(), op.b.as<T>(), op.y.as<T>(),
           count, op.kind);
  });
}

Refusal accepts_unary(const ElementwiseUnary& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  if (op.y.dtype != op.x.dtype) return "x and y have different dtypes";
  if (op.x.shape != op.y.shape) return str("x ", op.x.shape, " and y ", op.y.shape, " differ");
  return make_loop_nest<2>(op.y.shape, {&op.y.strides, &op.x.strides}).is_flat()
             ? ""
             : "x and y are not dense in one layout";
}

Refusal accepts_unary_vector(const ElementwiseUnary& op, const Context& context) {
  if (Refusal refusal = accepts_unary(op, context); !refusal.empty()) return refusal;
  return is_aligned(op.x) && is_aligned(op.y) ? "" : "x or y does not begin at 16 bytes";
}

void run_unary_naive(const ElementwiseUnary& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.x.numel();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(unary_naive<T>, {blocks_for(count, threads), threads, 0, stream}, op.x.as<T>(),
           op.y.as<T>(), count, Unary{op.kind, op.scale, op.shift});
  });
}

void run_unary_vector(const ElementwiseUnary& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.x.numel();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid = blocks_for(count, int64_t{threads} * unary_packets * Packet<T>::size);
    launch(unary_vector<T>, {grid, threads, 0, stream}, op.x.as<T>(), op.y.as<T>(), count,
           Unary{op.kind, op.scale, op.shift});
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_elementwise(Registry& registry) {
  using namespace cuda;
  add<ElementwiseBinary>(
      registry,
      {.name = "cuda/vector", .accepts = accepts_binary_vector, .run = run_binary_vector});
  add<ElementwiseBinary>(registry, {.name = "cuda/naive",
                                    .place = place::plain,
                                    .accepts = accepts_binary,
                                    .run = run_binary_naive});
  add<ElementwiseUnary>(
      registry, {.name = "cuda/vector", .accepts = accepts_unary_vector, .run = run_unary_vector});
  add<ElementwiseUnary>(registry, {.name = "cuda/naive",
                                   .place = place::plain,
                                   .accepts = accepts_unary,
                                   .run = run_unary_naive});
}

}  // namespace burin
