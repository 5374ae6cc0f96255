#include "burin/kernels/layer_norm.h"

#include <cmath>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

// ---- the definition

using Numbers = std::vector<double>;

/// Mean and biased variance of one row, and the size of the mean's rounding errors.
struct RowStatistics {
  double mean = 0, variance = 0, mean_scale = 0;
};

RowStatistics statistics_of(const double* x, size_t C) {
  RowStatistics s;
  for (size_t c = 0; c < C; ++c) {
    s.mean += x[c];
    s.mean_scale += x[c] * x[c];
  }
  const auto n = static_cast<double>(C);
  s.mean /= n;
  // The sum is rounded, and may be multiplied by a rounded 1/n: two roundings of the mean's size.
  s.mean_scale = std::sqrt(s.mean_scale) / n + 2 * std::abs(s.mean) / default_factor;
  for (size_t c = 0; c < C; ++c) s.variance += (x[c] - s.mean) * (x[c] - s.mean) / n;
  return s;
}

// ---- cases

struct LayerNormCase {
  const char* why;
  int64_t rows, C;
  double mean = 0.25;     // of x, in standard deviations
  bool in_place = false;  // dx is dy
  bool large = false;
};

const LayerNormCase cases[] = {
    {"one row", 1, 10},
    {"one column: variance 0, y = bias", 5, 1},
    {"a tail after every vector width", 7, 67},
    {"ViT's width", 9, 768},
    {"wider than a block of the sums", 3, 1031},
    {"more rows than one thread sums in float, several threads", 1500, 96},
    {"|mean| ≫ std: E[x²] − E[x]² has no digit left", 6, 259, 4000},
    {"in place", 4, 50, 0.25, true},
    {"ViT-B/16, batch 8", 8 * 197, 768, 0.25, false, true},
    {"ConvNeXt V2 tiny, batch 8, first stage", 8 * 56 * 56, 96, 0.25, false, true},
};

View image_of(Operands& operands, const LayerNormCase& c, DType dtype) {
  const Values normal = normal_values();
  return operands.input(dtype, {c.rows, c.C}, Layout::nchw, [=](int64_t i, uint32_t word) {
    const double spread = 1 + static_cast<double>(i / c.C % 3);
    return spread * (normal(i, word) + c.mean - 0.25);
  });
}

Expectation expect(const char* what, const View& actual, std::vector<Expected> values) {
  const auto held = std::make_shared<const std::vector<Expected>>(std::move(values));
  return {what, actual, [held](int64_t i) { return (*held)[static_cast<size_t>(i)]; }};
}

double bytes_of(const LayerNormCase& c, DType dtype) {
  return static_cast<double>(c.rows * c.C) * static_cast<double>(size_of(dtype));
}

Problem<LayerNormForward> forward(Operands& operands, const LayerNormCase& c, DType dtype) {
  LayerNormForward op;
  op.x = image_of(operands, c, dtype);
  op.weight = operands.input(DType::f32, {c.C}, Layout::nchw, uniform_values(-1, 2));
  op.bias = operands.input(DType::f32, {c.C});
  op.y = operands.output(dtype, {c.rows, c.C});
  op.mean = operands.output(DType::f32, {c.rows});
  op.inverse_std = operands.output(DType::f32, {c.rows});
  op.epsilon = 1e-6f;

  const Numbers x = operands.read(op.x), w = operands.read(op.weight), b = operands.read(op.bias);
  const auto C = static_cast<size_t>(c.C);
  std::vector<Expected> y, mean, inverse_std;
  for (size_t row = 0; row < static_cast<size_t>(c.rows); ++row) {
    const RowStatistics s = statistics_of(x.data() + row * C, C);
    const double r = 1 / std::sqrt(s.variance + static_cast<double>(op.epsilon));
    mean.push_back({s.mean, s.mean_scale});
    inverse_std.push_back({r, r});
    for (size_t k = 0; k < C; ++k) {
      const double centred = x[row * C + k] - s.mean;
      // The mean is subtracted as the f32 it is kept as: hence its share.
      const double size = (std::abs(centred) + std::abs(s.mean)) * r * std::abs(w[k]);
      y.push_back({centred * r * w[k] + b[k], size + std::abs(b[k])});
    }
  }
  return {op,
          {expect("y", op.y, y), expect("mean", op.mean, mean),
           expect("inverse_std", op.inverse_std, inverse_std)},
          8 * static_cast<double>(c.rows * c.C),
          2 * bytes_of(c, dtype)};
}

/// Adds one row of the definition of backward: dx, and its part of dweight and dbias (their scales
/// as sums of squares).
struct BackwardSums {
  std::vector<Expected> dx, dweight, dbias;
};

void add_row(BackwardSums& sums, const double* dy, const double* x, const Numbers& weight,
             double mean, double inverse_std) {
  const size_t C = weight.size();
  const auto n = static_cast<double>(C);
  double g_sum = 0, g_squares = 0, product = 0, product_squares = 0;
  for (size_t k = 0; k < C; ++k) {
    const double x_hat = (x[k] - mean) * inverse_std, g = dy[k] * weight[k];
    g_sum += g;
    g_squares += g * g;
    product += g * x_hat;
    product_squares += g * x_hat * g * x_hat;
    sums.dweight[k].value += dy[k] * x_hat;
    sums.dweight[k].scale += dy[k] * x_hat * dy[k] * x_hat;
    sums.dbias[k].value += dy[k];
    sums.dbias[k].scale += dy[k] * dy[k];
  }
  const double mean_size = (std::abs(g_sum) + std::sqrt(g_squares)) / n;
  const double product_size = (std::abs(product) + std::sqrt(product_squares)) / n;
  for (size_t k = 0; k < C; ++k) {
    const double x_hat = (x[k] - mean) * inverse_std, g = dy[k] * weight[k];
    sums.dx.push_back({inverse_std * (g - g_sum / n - x_hat * product / n),
                       inverse_std * (std::abs(g) + mean_size + std::abs(x_hat) * product_size)});
  }
}

Problem<LayerNormBackward> backward(Operands& operands, const LayerNormCase& c, DType dtype) {
  LayerNormBackward op;
  op.x = image_of(operands, c, dtype);
  const View dy = operands.input(dtype, {c.rows, c.C});
  op.dy = dy;
  op.dx = c.in_place ? dy : operands.output(dtype, {c.rows, c.C});
  op.weight = operands.input(DType::f32, {c.C}, Layout::nchw, uniform_values(-1, 2));
  op.dweight = operands.output(DType::f32, {c.C});
  op.dbias = operands.output(DType::f32, {c.C});

  const Numbers x = operands.read(op.x), dys = operands.read(dy), w = operands.read(op.weight);
  const auto C = static_cast<size_t>(c.C);
  const auto by_row = [&](const auto& value) {
    return operands.input(DType::f32, {c.rows}, Layout::nchw, [&](int64_t row, uint32_t) {
      return value(statistics_of(x.data() + static_cast<size_t>(row) * C, C));
    });
  };
  op.mean = by_row([](const RowStatistics& s) { return s.mean; });
  op.inverse_std = by_row([](const RowStatistics& s) { return 1 / std::sqrt(s.variance + 1e-6); });

  const Numbers mean = operands.read(op.mean), inverse_std = operands.read(op.inverse_std);
  BackwardSums sums{{}, std::vector<Expected>(C), std::vector<Expected>(C)};
  for (size_t row = 0; row < mean.size(); ++row) {
    add_row(sums, dys.data() + row * C, x.data() + row * C, w, mean[row], inverse_std[row]);
  }
  for (std::vector<Expected>* const list : {&sums.dweight, &sums.dbias}) {
    for (Expected& one : *list) one.scale = std::sqrt(one.scale);
  }
  return {op,
          {expect("dx", op.dx, sums.dx), expect("dweight", op.dweight, sums.dweight),
           expect("dbias", op.dbias, sums.dbias)},
          14 * static_cast<double>(c.rows * c.C),
          3 * bytes_of(c, dtype)};
}

}  // namespace

void add_cases_layer_norm(Cases& list) {
  for (const LayerNormCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      const std::string problem = str("x ", Shape{c.rows, c.C}, c.in_place ? " in place" : "");
      const CaseInfo info{c.why, problem, dtype, Layout::nchw, c.large};
      list.add<LayerNormForward>(info, [=](Operands& o) { return forward(o, c, dtype); });
      list.add<LayerNormBackward>(info, [=](Operands& o) { return backward(o, c, dtype); });
    }
  }
}

}  // namespace burin::checks
