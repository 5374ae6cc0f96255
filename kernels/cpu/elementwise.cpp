#include "burin/kernels/elementwise.h"

#include <cmath>
#include <type_traits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/exponential.h"
#include "burin/kernels/cpu/support/logarithm.h"
#include "burin/kernels/cpu/support/loop_nest.h"
#include "burin/kernels/cpu/support/row_vectors.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t grain = 16 * 1024;  // elements a thread should have before a second one helps

/// Calls use(f) with the function of two floats or vectors of them.
template <class Use>
void with_binary(BinaryKind kind, const Use& use) {
  switch (kind) {
    case BinaryKind::add:
      return use([](const auto& a, const auto& b) { return a + b; });
    case BinaryKind::subtract:
      return use([](const auto& a, const auto& b) { return a - b; });
    case BinaryKind::multiply:
      return use([](const auto& a, const auto& b) { return a * b; });
    case BinaryKind::divide:
      return use([](const auto& a, const auto& b) { return a / b; });
    case BinaryKind::maximum:  // a NaN in b fails the first test and is taken, one in a by the
                               // second
      return use([](const auto& a, const auto& b) { return ((a > b) | (a != a)) ? a : b; });
    case BinaryKind::minimum:
      return use([](const auto& a, const auto& b) { return ((a < b) | (a != a)) ? a : b; });
  }
}

/// The same of two integers, which wrap around where they overflow.
template <class Use>
void with_integer_binary(BinaryKind kind, const Use& use) {
  const auto wrapping = [](auto f) {
    return [f](int64_t a, int64_t b) {
      return static_cast<int64_t>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
    };
  };
  switch (kind) {
    case BinaryKind::add:
      return use(wrapping([](uint64_t a, uint64_t b) { return a + b; }));
    case BinaryKind::subtract:
      return use(wrapping([](uint64_t a, uint64_t b) { return a - b; }));
    case BinaryKind::multiply:
      return use(wrapping([](uint64_t a, uint64_t b) { return a * b; }));
    case BinaryKind::maximum:
      return use([](int64_t a, int64_t b) { return std::max(a, b); });
    case BinaryKind::minimum:
      return use([](int64_t a, int64_t b) { return std::min(a, b); });
    case BinaryKind::divide:
      return;  // refused
  }
}

/// What a dense row has on one side: elements side by side, or one value.
template <class T>
struct Neighbours {
  const T* from;

  Arithmetic<T> at(int64_t i) const { return Arithmetic<T>(from[i]); }
  Vector at(int64_t first, int64_t count) const { return load_channels(from + first, count); }
};
template <class T>
struct OneValue {
  Arithmetic<T> value;

  explicit OneValue(const T* from) : value(Arithmetic<T>(*from)) {}
  Arithmetic<T> at(int64_t /*i*/) const { return value; }
  /// Zero is subtracted, not added to: −0 keeps its sign.
  Vector at(int64_t /*first*/, int64_t /*count*/) const { return value - Vector{}; }
};

/// What is stored as it is computed is left to the compiler; 16 bits are converted in vectors. The
/// simd pragma holds also in place: an iteration reads only the element it writes.
template <class T, class F, class Left, class Right>
void dense_row(const F& f, T* y, Left a, Right b, int64_t count) {
  if constexpr (std::is_same_v<T, Arithmetic<T>>) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = f(a.at(i), b.at(i));
  } else {
    for_stretches(0, count, [&](int64_t first, int64_t length) {
      store_channels(y + first, f(a.at(first, length), b.at(first, length)), length);
    });
  }
}

template <class T, class F>
void binary_row(const F& f, std::array<int64_t, 3> stride, T* y, const T* a, const T* b,
                int64_t count) {
  using A = Arithmetic<T>;
  const auto [ys, as, bs] = stride;
  if (ys == 1 && as == 1 && bs == 1) {
    dense_row(f, y, Neighbours<T>{a}, Neighbours<T>{b}, count);
  } else if (ys == 1 && as == 1 && bs == 0) {
    dense_row(f, y, Neighbours<T>{a}, OneValue<T>(b), count);
  } else if (ys == 1 && as == 0 && bs == 1) {
    dense_row(f, y, OneValue<T>(a), Neighbours<T>{b}, count);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * ys] = convert<T>(f(A(a[i * as]), A(b[i * bs])));
  }
}

template <class T, class F>
void run_binary_with(const ElementwiseBinary& op, const F& f) {
  const Strides as = broadcast_strides(op.a, op.y.shape);
  const Strides bs = broadcast_strides(op.b, op.y.shape);
  const LoopNest<3> nest = make_loop_nest<3>(op.y.shape, {&op.y.strides, &as, &bs});
  T* const y = op.y.as<T>();
  const T* const a = op.a.as<T>();
  const T* const b = op.b.as<T>();
  parallel_for(nest.numel, grain, [&](int64_t begin, int64_t end) {
    for_each_row(nest, begin, end, [&](const std::array<int64_t, 3>& at, int64_t count) {
      binary_row(f, nest.inner().stride, y + at[0], a + at[1], b + at[2], count);
    });
  });
}

void run_binary(const ElementwiseBinary& op, Workspace /*workspace*/, Stream& /*stream*/) {
  if (op.a.dtype == DType::i64) {
    return with_integer_binary(op.kind, [&](auto f) { run_binary_with<int64_t>(op, f); });
  }
  visit_floating(op.a.dtype, [&](auto tag) {
    with_binary(op.kind, [&](auto f) { run_binary_with<typename decltype(tag)::type>(op, f); });
  });
}

/// Calls use(f) with the function of one float or, where g++ knows no vectorised one, of a vector.
template <class Use>
void with_unary(const ElementwiseUnary& op, const Use& use) {
  switch (op.kind) {
    case UnaryKind::affine:
      return use([scale = op.scale, shift = op.shift](float x) { return scale * x + shift; });
    case UnaryKind::exp:
      return use([](const Vector& x) { return exponential(x); });
    case UnaryKind::log:
      return use([](const Vector& x) { return logarithm(x); });
    case UnaryKind::sqrt:
      return use([](float x) { return std::sqrt(x); });
    case UnaryKind::reciprocal:
      return use([](float x) { return 1 / x; });
    case UnaryKind::abs:
      return use([](float x) { return std::abs(x); });
    case UnaryKind::sign:  // the last x is ±0 or NaN
      return use([](float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; });
  }
}

template <class F>
Vector applied(const F& f, Vector x) {
  if constexpr (std::is_invocable_v<F, Vector>) {
    return f(x);
  } else {
    for (int i = 0; i < lanes; ++i) x[i] = f(x[i]);
    return x;
  }
}

/// y[i] = f(x[i]). Floats are left to the compiler; 16 bits are converted in vectors.
template <class T, class F>
void unary_row(const F& f, const T* x, T* y, int64_t count) {
  if constexpr (std::is_same_v<T, float> && std::is_invocable_v<F, float>) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
  } else {
    for_stretches(0, count, [&](int64_t first, int64_t length) {
      store_channels(y + first, applied(f, load_channels(x + first, length)), length);
    });
  }
}

Refusal accepts_unary(const ElementwiseUnary& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  if (op.y.dtype != op.x.dtype) return "x and y have different dtypes";
  if (op.x.shape != op.y.shape) return str("x ", op.x.shape, " and y ", op.y.shape, " differ");
  return make_loop_nest<2>(op.y.shape, {&op.y.strides, &op.x.strides}).is_flat()
             ? ""
             : "x and y are not dense in one layout";
}

void run_unary(const ElementwiseUnary& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    with_unary(op, [&](auto f) {
      const T* const x = op.x.as<T>();
      T* const y = op.y.as<T>();
      parallel_for(op.x.numel(), grain, [&](int64_t begin, int64_t end) {
        unary_row(f, x + begin, y + begin, end - begin);
      });
    });
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_elementwise(Registry& registry) {
  registry.add<ElementwiseBinary>(
      {.name = "cpu",
       .place = place::before_vendor,
       .accepts = [](const ElementwiseBinary& op,
                     const Context& /*context*/) { return breach_of(op); },
       .run = cpu::run_binary});
  registry.add<ElementwiseUnary>(
      {.name = "cpu", .accepts = cpu::accepts_unary, .run = cpu::run_unary});
}

}  // namespace burin
