#include "burin/kernels/reduce.h"

#include <cmath>
#include <limits>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

const char* name_of(ReduceKind kind) {
  const char* const names[] = {"sum", "mean", "max", "sum_of_squares"};
  return names[static_cast<int>(kind)];
}

/// The definition: every element of x meets the output it belongs to.
std::vector<Expected> reduce(ReduceKind kind, const std::vector<double>& x, const Shape& x_shape,
                             const Shape& y_shape) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<Expected> y(static_cast<size_t>(numel(y_shape)),
                          {kind == ReduceKind::max ? -infinity : 0, 0});
  const Strides y_strides = contiguous_strides(y_shape);
  for (size_t i = 0; i < x.size(); ++i) {
    const Dims at = coordinates_of(static_cast<int64_t>(i), x_shape);
    int64_t output = 0;
    for (int d = 0; d < at.rank(); ++d) output += y_shape[d] == 1 ? 0 : at[d] * y_strides[d];
    auto& [value, scale] = y[static_cast<size_t>(output)];
    if (kind == ReduceKind::max) {
      value = std::isnan(value) || std::isnan(x[i]) ? value + x[i] : std::max(value, x[i]);
      continue;
    }
    const double term = kind == ReduceKind::sum_of_squares ? x[i] * x[i] : x[i];
    value += term;
    scale += term * term;
  }
  const double terms = static_cast<double>(x.size()) / static_cast<double>(y.size());
  for (auto& [value, scale] : y) {
    // Squares are all positive: their partial sums do not walk randomly, they grow to the value.
    scale = kind == ReduceKind::sum_of_squares ? value : std::sqrt(scale);
    if (kind == ReduceKind::mean) {
      value /= terms;
      scale /= terms;
    }
  }
  return y;
}

struct ReduceCase {
  const char* why;
  Shape x;
  Shape y;
  bool large = false;
};

const ReduceCase cases[] = {
    {"one element", {1}, {1}},
    {"a scalar", {}, {}},
    {"nothing is reduced", {3, 5, 2, 7}, {3, 5, 2, 7}},
    {"a full sum", {2, 5, 7, 3}, {1, 1, 1, 1}},
    {"a full sum, enough for two threads", {100'003}, {1}},
    {"a full sum of odd images, more than one block", {3, 5, 47, 53}, {1, 1, 1, 1}},
    {"per channel, as a bias gradient", {2, 35, 7, 3}, {1, 35, 1, 1}},
    {"per channel, enough for two threads", {2, 67, 19, 21}, {1, 67, 1, 1}},
    {"per channel, three channels", {2, 3, 17, 19}, {1, 3, 1, 1}},
    {"more channels than a tile has", {2, 613, 5, 3}, {1, 613, 1, 1}},
    {"per image and channel, as a global average", {3, 35, 7, 5}, {3, 35, 1, 1}},
    {"over channels", {2, 35, 7, 3}, {2, 1, 7, 3}},
    {"over images", {6, 5, 7, 3}, {1, 5, 7, 3}},
    {"over rows and images", {3, 5, 7, 11}, {1, 5, 1, 11}},
    {"rows of a matrix", {19, 133}, {19, 1}},
    {"columns of a matrix", {133, 19}, {1, 19}},
    {"columns of a long matrix, parts by rows", {5003, 33}, {1, 33}},
    {"rank 5, alternating", {2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}},
    {"stage 1, bias gradient", {16, 64, 56, 56}, {1, 64, 1, 1}, true},
    {"stage 4, global average", {16, 512, 7, 7}, {16, 512, 1, 1}, true},
    {"the classifier's bias gradient", {16, 1000}, {1, 1000}, true},
    {"norm of the largest filter's gradient", {512, 512, 3, 3}, {1, 1, 1, 1}, true},
};

Problem<Reduce> problem(const View& x, const View& y, ReduceKind kind, Operands& operands) {
  const auto expected =
      std::make_shared<std::vector<Expected>>(reduce(kind, operands.read(x), x.shape, y.shape));
  const auto at = [=, dtype = y.dtype](int64_t i) {
    Expected element = (*expected)[static_cast<size_t>(i)];
    element.value = overflowed(element.value, dtype);
    return element;
  };
  const double count = static_cast<double>(x.numel());
  return {{x, y, kind},
          {{"y", y, at}},
          (kind == ReduceKind::sum_of_squares ? 2 : 1) * count,
          count * static_cast<double>(size_of(x.dtype))};
}

void add_cases(Cases& list, ReduceKind kind, DType dtype, DType y_dtype) {
  for (const ReduceCase& c : cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      if (layout == Layout::nhwc && c.x.rank() != 4) continue;
      if (c.large && (dtype == DType::f16 || y_dtype != DType::f32)) continue;
      const CaseInfo info{c.why, str(name_of(kind), " x ", c.x, " y ", y_dtype, c.y), dtype, layout,
                          c.large};
      list.add<Reduce>(info, [=, &c](Operands& o) {
        return problem(o.input(dtype, c.x, layout), o.output(y_dtype, c.y, layout), kind, o);
      });
    }
  }

  const Shape x_shape = {3, 19, 5, 7}, y_shape = {1, 19, 1, 7};
  const auto add = [&](const char* why, const TypedCase<Reduce>::Make& make) {
    const CaseInfo info{why, str(name_of(kind), " x ", x_shape, " y ", y_dtype, y_shape), dtype,
                        Layout::nchw};
    list.add<Reduce>(info, make);
  };
  add("strides with gaps, permuted", [=](Operands& o) {
    const View x = o.input(dtype, x_shape, Strides{2, 6, 19 * 6, 19 * 6 * 5}, normal_values());
    return problem(x, o.output(y_dtype, y_shape, Strides{0, 3, 0, 60}), kind, o);
  });
  add("x is a broadcast row", [=](Operands& o) {
    const View row = o.input(dtype, {1, 19, 1, 7});
    const View x = BasicView<void*>{row.data, dtype, x_shape, {0, 7, 0, 1}, {}};
    return problem(x, o.output(y_dtype, y_shape), kind, o);
  });
  add("NaN and infinity", [=](Operands& o) {
    const View x = o.input(dtype, x_shape, Layout::nchw, [](int64_t i, uint32_t word) {
      const double infinity = std::numeric_limits<double>::infinity();
      if (i % 97 == 5) return std::numeric_limits<double>::quiet_NaN();
      return i % 97 == 16 ? infinity : i % 89 == 3 ? -infinity : double(word % 7) - 3;
    });
    return problem(x, o.output(y_dtype, y_shape), kind, o);
  });
  add("all negative: a max may not start from 0", [=](Operands& o) {
    const View x = o.input(dtype, x_shape, Layout::nchw, uniform_values(-9, -1));
    return problem(x, o.output(y_dtype, y_shape), kind, o);
  });
  add("nothing to reduce: the neutral element", [=](Operands& o) {
    return problem(o.input(dtype, {3, 0}), o.output(y_dtype, {3, 1}), kind, o);
  });
}

}  // namespace

void add_cases_reduce(Cases& list) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const ReduceKind kind :
         {ReduceKind::sum, ReduceKind::mean, ReduceKind::max, ReduceKind::sum_of_squares}) {
      add_cases(list, kind, dtype, DType::f32);
      if (dtype != DType::f32) add_cases(list, kind, dtype, dtype);
    }
  }
}

}  // namespace burin::checks
