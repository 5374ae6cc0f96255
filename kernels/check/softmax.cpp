#include "burin/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

using Row = std::vector<double>;

/// The definition, one row.
Row softmax(const Row& x, bool log) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double v : x) sum += std::exp(v - top);
  Row y;
  for (const double v : x) y.push_back(log ? v - top - std::log(sum) : std::exp(v - top) / sum);
  return y;
}

/// Σ_j dy_j · y_j, or Σ_j dy_j for the logarithm.
double dot_of(const Row& dy, const Row& y, bool log) {
  double dot = 0;
  for (size_t c = 0; c < y.size(); ++c) dot += log ? dy[c] : dy[c] * y[c];
  return dot;
}

double norm(const Row& row) {
  return std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
}

Row row_of(const std::vector<double>& values, int64_t row, int64_t C) {
  const auto begin = values.begin() + row * C;
  return {begin, begin + C};
}

struct SoftmaxCase {
  const char* why;
  int64_t rows, C;
  double spread;
  double odd = 0;  // where not 0: what stands in every second row
  bool large = false;
};

/// Column 3 of rows 0, 2, 4, …
Values values_of(const SoftmaxCase& c) {
  return [=, usual = uniform_values(-c.spread, c.spread)](int64_t i, uint32_t word) {
    const bool is_odd = c.odd != 0 && i / c.C % 2 == 0 && i % c.C == 3;
    return is_odd ? c.odd : usual(i, word);
  };
}

const SoftmaxCase cases[] = {
    {"two classes", 5, 2, 3},
    {"ImageNet's classes", 3, 1000, 4},
    {"a tail after every vector width", 7, 67, 3},
    {"one class: always 1", 4, 1, 3},
    {"large logits neither overflow nor vanish", 3, 10, 1e4},
    {"NaN makes the whole row NaN: a diverged run must show", 4, 21, 3,
     std::numeric_limits<double>::quiet_NaN()},
    {"infinity does so too", 4, 21, 3, std::numeric_limits<double>::infinity()},
    {"minus infinity: a class that is masked out", 4, 21, 3,
     -std::numeric_limits<double>::infinity()},
    {"ViT-B/16's scores, one image", 12 * 197, 197, 3, 0, true},
};

Problem<SoftmaxForward> forward(Operands& o, const SoftmaxCase& c, DType dtype, bool log) {
  const View x = o.input(dtype, {c.rows, c.C}, Layout::nchw, values_of(c));
  const View y = o.output(dtype, {c.rows, c.C});
  const auto xs = std::make_shared<std::vector<double>>(o.read(x));
  const auto expected = [=](int64_t i) {
    const Row row = row_of(*xs, i / c.C, c.C);
    const double value = softmax(row, log)[static_cast<size_t>(i % c.C)];
    if (std::isinf(row[static_cast<size_t>(i % c.C)])) return Expected{value, 0};
    // The subtraction x − max is rounded at the size of x, and exp turns that into a relative
    // error.
    const double size = std::abs(row[static_cast<size_t>(i % c.C)]) +
                        std::abs(*std::max_element(row.begin(), row.end())) + 1;
    return Expected{value, log ? size : size * value};
  };
  const auto count = static_cast<double>(c.rows * c.C);
  return {{x, y, log},
          {{"y", y, expected}},
          4 * count,
          2 * count * static_cast<double>(size_of(dtype))};
}

Problem<SoftmaxBackward> backward(Operands& o, const SoftmaxCase& c, DType dtype, bool log) {
  const View x = o.input(DType::f32, {c.rows, c.C}, Layout::nchw, values_of(c));
  const std::vector<double> xs = o.read(x);
  std::vector<double> exact;
  for (int64_t r = 0; r < c.rows; ++r) {
    const Row row = softmax(row_of(xs, r, c.C), log);
    exact.insert(exact.end(), row.begin(), row.end());
  }
  const View y = o.input(dtype, {c.rows, c.C}, Layout::nchw,
                         [&](int64_t i, uint32_t) { return exact[static_cast<size_t>(i)]; });
  const View dy = o.input(dtype, {c.rows, c.C});
  const View dx = o.output(dtype, {c.rows, c.C});
  const auto ys = std::make_shared<std::vector<double>>(o.read(y));
  const auto dys = std::make_shared<std::vector<double>>(o.read(dy));
  const auto expected = [=](int64_t i) {
    const Row row = row_of(*ys, i / c.C, c.C);
    const Row g = row_of(*dys, i / c.C, c.C);
    const auto at = static_cast<size_t>(i % c.C);
    const double dot = dot_of(g, row, log);
    // The adjoint, and its largest intermediates: the sum's terms, and the product with the sum.
    const double weight = log ? std::exp(row[at]) : row[at];
    const double direct = log ? g[at] : row[at] * g[at];
    return Expected{direct - weight * dot, std::abs(direct) + weight * (norm(g) + std::abs(dot))};
  };
  const auto count = static_cast<double>(c.rows * c.C);
  return {{dy, y, dx, log},
          {{"dx", dx, expected}},
          4 * count,
          3 * count * static_cast<double>(size_of(dtype))};
}

}  // namespace

void add_cases_softmax(Cases& list) {
  for (const SoftmaxCase& c : cases) {
    for (const bool log : {false, true}) {
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
        const CaseInfo info{c.why, str(log ? "log " : "", "x [", c.rows, ", ", c.C, "]"), dtype,
                            Layout::nchw, c.large};
        list.add<SoftmaxForward>(info, [=](Operands& o) { return forward(o, c, dtype, log); });
        list.add<SoftmaxBackward>(info, [=](Operands& o) { return backward(o, c, dtype, log); });
      }
    }
  }
}

}  // namespace burin::checks
