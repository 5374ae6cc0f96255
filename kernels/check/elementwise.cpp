#include "burin/kernels/elementwise.h"

#include <cmath>
#include <limits>

#include "burin/kernels/base/random.h"
#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The definition of the binary functions.
double binary(BinaryKind kind, double a, double b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::subtract:
      return a - b;
    case BinaryKind::multiply:
      return a * b;
    case BinaryKind::divide:
      return a / b;
    case BinaryKind::maximum:
      return std::isnan(a) || std::isnan(b) ? nan : std::max(a, b);
    case BinaryKind::minimum:
      return std::isnan(a) || std::isnan(b) ? nan : std::min(a, b);
  }
  return nan;
}

/// The definition of the unary functions.
double unary(const ElementwiseUnary& op, double x) {
  switch (op.kind) {
    case UnaryKind::affine:
      return static_cast<double>(op.scale) * x + static_cast<double>(op.shift);
    case UnaryKind::exp:
      return std::exp(x);
    case UnaryKind::log:
      return std::log(x);
    case UnaryKind::sqrt:
      return std::sqrt(x);
    case UnaryKind::reciprocal:
      return 1 / x;
    case UnaryKind::abs:
      return std::abs(x);
    case UnaryKind::sign:
      return std::isnan(x) ? x : (x > 0) - (x < 0);
  }
  return nan;
}

const char* name_of(BinaryKind kind) {
  const char* const names[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum"};
  return names[static_cast<int>(kind)];
}

const char* name_of(UnaryKind kind) {
  const char* const names[] = {"affine", "exp", "log", "sqrt", "reciprocal", "abs", "sign"};
  return names[static_cast<int>(kind)];
}

struct BinaryCase {
  const char* why;
  Shape a;
  Shape b;
  bool large = false;
};

const BinaryCase binary_cases[] = {
    {"an image with odd extents", {2, 5, 7, 3}, {2, 5, 7, 3}},
    {"one element", {1}, {1}},
    {"scalars", {}, {}},
    {"nothing to do", {3, 0}, {3, 0}},
    {"a tail after every vector width", {67}, {67}},
    {"enough for two threads", {40'003}, {40'003}},
    {"one value for all on the right", {2, 5, 7, 3}, {1, 1, 1, 1}},
    {"one value for all on the left", {1, 1, 1, 1}, {2, 5, 7, 3}},
    {"per channel, as a bias", {2, 35, 7, 3}, {1, 35, 1, 1}},
    {"per channel on the left", {1, 35, 1, 1}, {2, 35, 7, 3}},
    {"per image and channel, as a gate", {2, 35, 7, 3}, {2, 35, 1, 1}},
    {"per pixel, as a mask", {2, 35, 7, 3}, {2, 1, 7, 3}},
    {"a row", {19, 33}, {1, 33}},
    {"a column", {19, 33}, {19, 1}},
    {"an outer sum: both stretch", {19, 1}, {1, 33}},
    {"rank 5, alternating", {2, 1, 3, 1, 5}, {1, 4, 3, 2, 1}},
    {"stage 1, a residual sum", {16, 64, 56, 56}, {16, 64, 56, 56}, true},
    {"stage 1, per channel", {16, 64, 56, 56}, {1, 64, 1, 1}, true},
    {"stage 1, a scalar", {16, 64, 56, 56}, {1, 1, 1, 1}, true},
};

/// Ties, NaN on either side and quotients that are not all large.
Values binary_values(DType dtype, int64_t nan_at) {
  if (dtype == DType::i64) return [](int64_t, uint32_t word) { return double(word % 2001) - 1000; };
  return [=](int64_t i, uint32_t word) {
    if (i % 17 == nan_at) return nan;
    if (i % 17 == 7) return 1.5;
    const double u = 4.0 * static_cast<double>(uniform_from(word)) - 1.5;
    return std::abs(u) < 0.05 ? 0.5 : u;
  };
}

Problem<ElementwiseBinary> binary_problem(const View& a, const View& b, const View& y,
                                          BinaryKind kind, Operands& operands) {
  const auto as = std::make_shared<std::vector<double>>(operands.read(a));
  const auto bs = std::make_shared<std::vector<double>>(operands.read(b));
  const auto element = [](const std::vector<double>& values, const Shape& shape, Dims at) {
    for (int i = 0; i < at.rank(); ++i) at[i] = shape[i] == 1 ? 0 : at[i];
    int64_t index = 0;
    for (int i = 0; i < at.rank(); ++i) index = index * shape[i] + at[i];
    return values[static_cast<size_t>(index)];
  };
  const auto expected = [=, a_shape = a.shape, b_shape = b.shape, shape = y.shape](int64_t i) {
    const Dims at = coordinates_of(i, shape);
    const double left = element(*as, a_shape, at);
    const double right = element(*bs, b_shape, at);
    return Expected{binary(kind, left, right), 0};
  };
  const double bytes = static_cast<double>((a.numel() + b.numel() + y.numel()) *
                                           static_cast<int64_t>(size_of(y.dtype)));
  return {{a, b, y, kind}, {{"y", y, expected}}, static_cast<double>(y.numel()), bytes};
}

void add_binary_cases(Cases& list, BinaryKind kind, DType dtype) {
  for (const BinaryCase& c : binary_cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      if (layout == Layout::nhwc && c.a.rank() != 4) continue;
      if (c.large && (kind != BinaryKind::add || dtype == DType::f16 || dtype == DType::i64)) {
        continue;
      }
      const CaseInfo info{c.why, str(name_of(kind), " a ", c.a, " b ", c.b), dtype, layout,
                          c.large};
      list.add<ElementwiseBinary>(info, [=, &c](Operands& o) {
        const View a = o.input(dtype, c.a, layout, binary_values(dtype, 3));
        const View b = o.input(dtype, c.b, layout, binary_values(dtype, 5));
        const View y = o.output(dtype, broadcast_shape(c.a, c.b), layout);
        return binary_problem(a, b, y, kind, o);
      });
    }
  }

  const Shape shape = {3, 19, 5, 7};
  const auto add = [&](const char* why, Layout layout,
                       const TypedCase<ElementwiseBinary>::Make& make) {
    const CaseInfo info{why, str(name_of(kind), " a ", shape, " b ", shape), dtype, layout};
    list.add<ElementwiseBinary>(info, make);
  };
  add("a nhwc, b nchw", Layout::nhwc, [=](Operands& o) {
    const View a = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 3));
    const View b = o.input(dtype, shape, Layout::nchw, binary_values(dtype, 5));
    return binary_problem(a, b, o.output(dtype, shape, Layout::nhwc), kind, o);
  });
  add("y nchw from nhwc operands", Layout::nchw, [=](Operands& o) {
    const View a = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 3));
    const View b = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 5));
    return binary_problem(a, b, o.output(dtype, shape, Layout::nchw), kind, o);
  });
  add("strides with gaps, permuted", Layout::nhwc, [=](Operands& o) {
    const Strides gaps = {2, 6, 19 * 6, 19 * 6 * 5};
    const View a = o.input(dtype, shape, gaps, binary_values(dtype, 3));
    const View b = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 5));
    return binary_problem(a, b, o.output(dtype, shape, gaps), kind, o);
  });
  add("in place of a", Layout::nhwc, [=](Operands& o) {
    const View a = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 3));
    const View b = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 5));
    return binary_problem(a, b, a, kind, o);
  });
  add("in place of b", Layout::nhwc, [=](Operands& o) {
    const View a = o.input(dtype, {3, 19, 1, 1}, Layout::nhwc, binary_values(dtype, 3));
    const View b = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 5));
    return binary_problem(a, b, b, kind, o);
  });
  add("a, b and y are one", Layout::nchw, [=](Operands& o) {
    const View a = o.input(dtype, shape, Layout::nchw, binary_values(dtype, 3));
    return binary_problem(a, a, a, kind, o);
  });
  if (kind != BinaryKind::divide) return;
  add("minus zero for all on the right", Layout::nhwc, [=](Operands& o) {
    const View a = o.input(dtype, shape, Layout::nhwc, binary_values(dtype, 3));
    const View b = o.input(dtype, {1, 1, 1, 1}, Layout::nhwc, constant_values(-0.0));
    return binary_problem(a, b, o.output(dtype, shape, Layout::nhwc), kind, o);
  });
}

struct UnaryCase {
  const char* why;
  Shape shape;
  bool in_place = false;
  bool large = false;
};

const UnaryCase unary_cases[] = {
    {"an image with odd extents", {2, 5, 7, 3}},
    {"one element", {1}},
    {"a scalar", {}},
    {"nothing to do", {0, 4}},
    {"a tail after every vector width", {67}},
    {"enough for two threads", {40'003}},
    {"in place", {2, 5, 7, 3}, true},
    {"stage 1", {16, 64, 56, 56}, false, true},
};

/// Both signs and the special values, each function's domain included.
Values unary_values(UnaryKind kind) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> specials = {nan, infinity, -infinity, 0, 1};
  if (kind == UnaryKind::exp) specials.insert(specials.end(), {88.5, -87, 20, -20, -100});
  if (kind == UnaryKind::log) {
    specials.insert(specials.end(), {1e-40, 1e-30, 3e38, 0.70710678, 0x1p-126});
  }
  return [=](int64_t i, uint32_t word) {
    if (i % 5 == 3 && i / 5 < std::ssize(specials)) return specials[static_cast<size_t>(i / 5)];
    const double low = kind == UnaryKind::log || kind == UnaryKind::sqrt ? 0.01 : -4;
    return low + 8.0 * static_cast<double>(uniform_from(word));
  };
}

/// The largest intermediate of f(x): what a last-digit error of libm or of a product is relative
/// to.
double unary_scale(const ElementwiseUnary& op, double x, double value) {
  if (op.kind == UnaryKind::affine) return std::abs(static_cast<double>(op.scale) * x);
  const bool exact = op.kind == UnaryKind::abs || op.kind == UnaryKind::sign;
  return exact ? 0 : std::abs(value);
}

void add_unary_cases(Cases& list, UnaryKind kind, DType dtype) {
  for (const UnaryCase& c : unary_cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      if (layout == Layout::nhwc && c.shape.rank() != 4) continue;
      if (c.large && dtype == DType::f16) continue;
      const CaseInfo info{c.why, str(name_of(kind), " x ", c.shape), dtype, layout, c.large};
      list.add<ElementwiseUnary>(info, [=, &c](Operands& o) {
        const View x = o.input(dtype, c.shape, layout, unary_values(kind));
        const View y = c.in_place ? x : o.output(dtype, c.shape, layout);
        const ElementwiseUnary op{x, y, kind, -1.75f, 0.375f};
        const auto xs = std::make_shared<std::vector<double>>(o.read(x));
        const auto expected = [=](int64_t i) {
          const double v = (*xs)[static_cast<size_t>(i)];
          const double value = unary(op, v);
          return Expected{overflowed(value, dtype), unary_scale(op, v, value)};
        };
        const double count = static_cast<double>(x.numel());
        return Problem<ElementwiseUnary>{
            op, {{"y", y, expected}}, count, 2 * count * static_cast<double>(size_of(dtype))};
      });
    }
  }
}

}  // namespace

void add_cases_elementwise(Cases& list) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16, DType::i64}) {
    for (const BinaryKind kind : {BinaryKind::add, BinaryKind::subtract, BinaryKind::multiply,
                                  BinaryKind::divide, BinaryKind::maximum, BinaryKind::minimum}) {
      const bool defined = dtype != DType::i64 || kind != BinaryKind::divide;
      if (defined) add_binary_cases(list, kind, dtype);
    }
  }
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const UnaryKind kind : {UnaryKind::affine, UnaryKind::exp, UnaryKind::log, UnaryKind::sqrt,
                                 UnaryKind::reciprocal, UnaryKind::abs, UnaryKind::sign}) {
      add_unary_cases(list, kind, dtype);
    }
  }
}

}  // namespace burin::checks
