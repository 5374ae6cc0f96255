#include "burin/kernels/check/activation.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "burin/kernels/check/case.h"

namespace burin::checks {

ValueAndSlope activation(Activation kind, double x) {
  switch (kind) {
    case Activation::none:
      return {x, 1};
    case Activation::relu:
      return {std::isnan(x) ? x : std::max(x, 0.0), x > 0 || std::isnan(x) ? 1.0 : 0.0};
    case Activation::gelu: {
      const double cdf = 0.5 * std::erfc(-x / std::numbers::sqrt2);
      const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
      return {x * cdf, cdf + x * density};
    }
    case Activation::gelu_tanh: {
      const double c = std::sqrt(2 / std::numbers::pi);
      const double t = std::tanh(c * (x + 0.044715 * x * x * x));
      const double dt = (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
      return {0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * dt};
    }
    case Activation::sigmoid: {
      const double s = 1 / (1 + std::exp(-x));
      return {s, s * (1 - s)};
    }
  }
  return {};
}

namespace {

bool saves_output(Activation kind) {
  return kind == Activation::relu || kind == Activation::sigmoid;
}

double some_infinite_values(int64_t index, uint32_t word) {
  if (index % 5 == 2) return std::numeric_limits<double>::infinity();
  return uniform_values(-6, 6)(index, word);
}

double some_nan_values(int64_t index, uint32_t word) {
  if (index % 7 == 3) return std::numeric_limits<double>::quiet_NaN();
  return uniform_values(-6, 6)(index, word);
}

struct ActivationCase {
  const char* why;
  Shape shape;
  Values values = uniform_values(-6, 6);
  Values gradient = normal_values();
  bool large = false;
};

const ActivationCase cases[] = {
    {"an image with odd extents", {2, 5, 7, 3}},
    {"one element", {1}},
    {"a tail after every vector width", {67}},
    {"NaN stays NaN: a diverged run must show", {67}, some_nan_values},
    {"an infinite gradient does not pass where ReLU is 0",
     {67},
     uniform_values(-6, 6),
     some_infinite_values},
    {"ViT-B/16's MLP, one image", {1, 197, 1, 3072}, uniform_values(-6, 6), normal_values(), true},
};

Problem<ActivationForward> forward(Operands& operands, const ActivationCase& c, Activation kind,
                                   DType dtype, Layout layout) {
  const Shape& shape = c.shape;
  const View x = operands.input(dtype, shape, layout, c.values);
  const View y = operands.output(dtype, shape, layout);
  const auto xs = std::make_shared<std::vector<double>>(operands.read(x));
  const auto expected = [xs, kind](int64_t i) {
    const double v = (*xs)[static_cast<size_t>(i)];
    const double value = activation(kind, v).value;
    // A sigmoid's errors are relative to itself, and to the exponent through it.
    return Expected{value, kind == Activation::sigmoid ? value * (1 + std::abs(v)) : std::abs(v)};
  };
  const double count = static_cast<double>(numel(shape));
  return {
      {x, y, kind}, {{"y", y, expected}}, count, 2 * count * static_cast<double>(size_of(dtype))};
}

Problem<ActivationBackward> backward(Operands& operands, const ActivationCase& c, Activation kind,
                                     DType dtype, Layout layout) {
  const Shape& shape = c.shape;
  const View x = operands.input(dtype, shape, layout, c.values);
  const auto xs = operands.read(x);
  // What forward would have kept, rounded to its dtype as it was.
  const View saved = operands.input(dtype, shape, layout, [&](int64_t i, uint32_t) {
    const double v = xs[static_cast<size_t>(i)];
    return saves_output(kind) ? activation(kind, v).value : v;
  });
  const View dy = operands.input(dtype, shape, layout, c.gradient);
  const View dx = operands.output(dtype, shape, layout);
  const auto kept = std::make_shared<std::vector<double>>(operands.read(saved));
  const auto dys = std::make_shared<std::vector<double>>(operands.read(dy));
  const auto expected = [=](int64_t i) {
    const double v = (*kept)[static_cast<size_t>(i)];
    const double slope = kind == Activation::sigmoid ? v * (1 - v) : activation(kind, v).slope;
    const double g = (*dys)[static_cast<size_t>(i)];
    if (kind == Activation::relu && slope == 0) return Expected{0, 0};
    return Expected{g * slope, std::abs(g)};
  };
  const double count = static_cast<double>(numel(shape));
  return {{dy, saved, dx, kind},
          {{"dx", dx, expected}},
          2 * count,
          3 * count * static_cast<double>(size_of(dtype))};
}

}  // namespace

void add_cases_activation(Cases& list) {
  const Activation kinds[] = {Activation::relu, Activation::gelu, Activation::gelu_tanh,
                              Activation::sigmoid};
  for (const ActivationCase& c : cases) {
    for (const Activation kind : kinds) {
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
        for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
          const CaseInfo info{c.why, str(name_of(kind), " x ", c.shape), dtype, layout, c.large};
          list.add<ActivationForward>(
              info, [=, &c](Operands& o) { return forward(o, c, kind, dtype, layout); });
          list.add<ActivationBackward>(
              info, [=, &c](Operands& o) { return backward(o, c, kind, dtype, layout); });
        }
      }
    }
  }
}

}  // namespace burin::checks
