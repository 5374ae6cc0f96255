#include "burin/kernels/grn.h"

#include <cmath>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

using Numbers = std::vector<double>;

// ---- cases

struct GrnCase {
  const char* why;
  int64_t N, M, C;
  bool in_place = false;      // dx is dy
  bool dead_channel = false;  // channel 0 is 0 everywhere: its norm has no derivative
  bool large = false;
};

const GrnCase cases[] = {
    {"one position", 2, 1, 6},
    {"one channel", 2, 5, 1},
    {"a tail after every vector width", 2, 7, 67},
    {"one image, several threads", 1, 700, 96},
    {"more rows than are summed in float", 3, 150, 20},
    {"a channel that is 0 everywhere", 2, 9, 12, false, true},
    {"in place", 2, 10, 24, true},
    {"ConvNeXt V2 tiny, batch 8, first stage", 8, 56 * 56, 384, false, false, true},
    {"ConvNeXt V2 tiny, batch 8, third stage", 8, 14 * 14, 1536, false, false, true},
};

View image_of(Operands& o, const GrnCase& c, DType dtype) {
  const Values normal = normal_values();
  return o.input(dtype, {c.N, c.M, c.C}, Layout::nchw, [=](int64_t i, uint32_t word) {
    const int64_t channel = i % c.C;
    if (c.dead_channel && channel == 0) return 0.0;
    return (0.5 + static_cast<double>(channel % 4)) * normal(i, word);
  });
}

// ---- the definition

/// Element i of `values` is row (i / C) of image n, channel c.
struct Definition {
  GrnCase c;
  double epsilon;
  Numbers weight;

  double mean_of(const Numbers& norm, int64_t n) const {
    double sum = 0;
    for (int64_t k = 0; k < c.C; ++k) sum += norm[static_cast<size_t>(n * c.C + k)];
    return sum / static_cast<double>(c.C) + epsilon;
  }
  size_t index(int64_t n, int64_t m, int64_t k) const {
    return static_cast<size_t>((n * c.M + m) * c.C + k);
  }
};

Numbers norms(const Definition& d, const Numbers& x) {
  Numbers norm(static_cast<size_t>(d.c.N * d.c.C));
  for (int64_t i = 0; i < d.c.N * d.c.M * d.c.C; ++i) {
    const int64_t n = i / (d.c.M * d.c.C), k = i % d.c.C;
    norm[static_cast<size_t>(n * d.c.C + k)] +=
        x[static_cast<size_t>(i)] * x[static_cast<size_t>(i)];
  }
  for (double& value : norm) value = std::sqrt(value);
  return norm;
}

Expectation expect(const char* what, const View& actual, std::vector<Expected> values) {
  const auto held = std::make_shared<const std::vector<Expected>>(std::move(values));
  return {what, actual, [held](int64_t i) { return (*held)[static_cast<size_t>(i)]; }};
}

double bytes_of(const GrnCase& c, DType dtype) {
  return static_cast<double>(c.N * c.M * c.C) * static_cast<double>(size_of(dtype));
}

Problem<GrnForward> forward(Operands& o, const GrnCase& c, DType dtype) {
  GrnForward op;
  op.x = image_of(o, c, dtype);
  op.weight = o.input(DType::f32, {c.C});
  op.bias = o.input(DType::f32, {c.C});
  op.y = o.output(dtype, {c.N, c.M, c.C});
  op.norm = o.output(DType::f32, {c.N, c.C});

  const Definition d{c, static_cast<double>(op.epsilon), o.read(op.weight)};
  const Numbers x = o.read(op.x), bias = o.read(op.bias), norm = norms(d, x);
  std::vector<Expected> y, kept;
  for (const double value : norm) kept.push_back({value, value});
  Numbers means;
  for (int64_t n = 0; n < c.N; ++n) means.push_back(d.mean_of(norm, n));
  for (int64_t i = 0; i < c.N * c.M * c.C; ++i) {
    const int64_t n = i / (c.M * c.C), k = i % c.C;
    const double value = x[static_cast<size_t>(i)];
    const double response = norm[static_cast<size_t>(n * c.C + k)] / means[static_cast<size_t>(n)];
    const double scaled = value * response * d.weight[static_cast<size_t>(k)];
    const double shift = bias[static_cast<size_t>(k)];
    y.push_back({value + scaled + shift, std::abs(value) + std::abs(scaled) + std::abs(shift)});
  }
  return {op,
          {expect("y", op.y, y), expect("norm", op.norm, kept)},
          4 * static_cast<double>(c.N * c.M * c.C),
          2 * bytes_of(c, dtype)};
}

/// Σ_m dy · x and Σ_m dy of each channel of one image, with the sums of squares behind them.
struct ImageSums {
  std::vector<Expected> products, gradients;
};

ImageSums sums_of(const Definition& d, const Numbers& dy, const Numbers& x, int64_t n) {
  const auto C = static_cast<size_t>(d.c.C);
  ImageSums sums{std::vector<Expected>(C), std::vector<Expected>(C)};
  for (int64_t m = 0; m < d.c.M; ++m) {
    for (int64_t k = 0; k < d.c.C; ++k) {
      const double gradient = dy[d.index(n, m, k)], product = gradient * x[d.index(n, m, k)];
      sums.products[static_cast<size_t>(k)].value += product;
      sums.products[static_cast<size_t>(k)].scale += product * product;
      sums.gradients[static_cast<size_t>(k)].value += gradient;
      sums.gradients[static_cast<size_t>(k)].scale += gradient * gradient;
    }
  }
  return sums;
}

struct BackwardAnswer {
  std::vector<Expected> dx, dweight, dbias;
};

void add_image(const Definition& d, const Numbers& dy, const Numbers& x, const Numbers& norm,
               int64_t n, BackwardAnswer& answer) {
  const int64_t C = d.c.C;
  const ImageSums sums = sums_of(d, dy, x, n);
  const double mean = d.mean_of(norm, n);
  const auto norm_of = [&](int64_t k) { return norm[static_cast<size_t>(n * C + k)]; };
  double shared = 0, shared_size = 0;
  for (int64_t k = 0; k < C; ++k) {
    const auto at = static_cast<size_t>(k);
    const double share = norm_of(k) * d.weight[at] / (static_cast<double>(C) * mean * mean);
    shared += share * sums.products[at].value;
    shared_size +=
        std::abs(share) * (std::sqrt(sums.products[at].scale) + std::abs(sums.products[at].value));
  }
  for (int64_t m = 0; m < d.c.M; ++m) {
    for (int64_t k = 0; k < C; ++k) {
      const auto at = static_cast<size_t>(k);
      const double slope = 1 + d.weight[at] * norm_of(k) / mean;
      const double gradient = dy[d.index(n, m, k)], value = x[d.index(n, m, k)];
      const double over_norm = norm_of(k) > 0 ? value / norm_of(k) : 0;
      const double dnorm = d.weight[at] * sums.products[at].value / mean - shared;
      const double size =
          std::abs(d.weight[at]) / mean *
              (std::sqrt(sums.products[at].scale) + std::abs(sums.products[at].value)) +
          shared_size;
      answer.dx[d.index(n, m, k)] = {
          gradient * slope + over_norm * dnorm,
          std::abs(gradient) * (1 + std::abs(slope)) + std::abs(over_norm) * size};
    }
  }
  for (int64_t k = 0; k < C; ++k) {
    const auto at = static_cast<size_t>(k);
    const double response = norm_of(k) / mean;
    answer.dweight[at].value += response * sums.products[at].value;
    answer.dweight[at].scale +=
        response * (std::sqrt(sums.products[at].scale) + std::abs(sums.products[at].value));
    answer.dbias[at].value += sums.gradients[at].value;
    answer.dbias[at].scale += std::sqrt(sums.gradients[at].scale);
  }
}

Problem<GrnBackward> backward(Operands& o, const GrnCase& c, DType dtype) {
  GrnBackward op;
  op.x = image_of(o, c, dtype);
  const View dy = o.input(dtype, {c.N, c.M, c.C});
  op.dy = dy;
  op.dx = c.in_place ? dy : o.output(dtype, {c.N, c.M, c.C});
  op.weight = o.input(DType::f32, {c.C});
  op.dweight = o.output(DType::f32, {c.C});
  op.dbias = o.output(DType::f32, {c.C});

  const Definition d{c, static_cast<double>(op.epsilon), o.read(op.weight)};
  const Numbers x = o.read(op.x), dys = o.read(dy), exact = norms(d, x);
  op.norm = o.input(DType::f32, {c.N, c.C}, Layout::nchw,
                    [&](int64_t i, uint32_t) { return exact[static_cast<size_t>(i)]; });
  const Numbers norm = o.read(op.norm);
  const auto C = static_cast<size_t>(c.C);
  BackwardAnswer answer{std::vector<Expected>(x.size()), std::vector<Expected>(C),
                        std::vector<Expected>(C)};
  for (int64_t n = 0; n < c.N; ++n) add_image(d, dys, x, norm, n, answer);
  return {op,
          {expect("dx", op.dx, answer.dx), expect("dweight", op.dweight, answer.dweight),
           expect("dbias", op.dbias, answer.dbias)},
          8 * static_cast<double>(c.N * c.M * c.C),
          3 * bytes_of(c, dtype)};
}

}  // namespace

void add_cases_grn(Cases& list) {
  for (const GrnCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      const std::string problem = str("x ", Shape{c.N, c.M, c.C}, c.in_place ? " in place" : "");
      const CaseInfo info{c.why, problem, dtype, Layout::nchw, c.large};
      list.add<GrnForward>(info, [=](Operands& o) { return forward(o, c, dtype); });
      list.add<GrnBackward>(info, [=](Operands& o) { return backward(o, c, dtype); });
    }
  }
}

}  // namespace burin::checks
