#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "burin/kernels/check/case.h"

/// The definition of batch normalisation, by logical index into [N, C, …], and the operands and
/// expectations that all its ops have.
namespace burin::checks {

using Numbers = std::vector<double>;
using Shared = std::shared_ptr<const Numbers>;

inline Shared shared(Numbers numbers) {
  return std::make_shared<const Numbers>(std::move(numbers));
}

inline Expectation expect(const char* what, const View& actual, std::vector<Expected> values) {
  const auto held = std::make_shared<const std::vector<Expected>>(std::move(values));
  return {what, actual, [held](int64_t i) { return (*held)[static_cast<size_t>(i)]; }};
}

/// Which channel an element belongs to, and how many elements a channel has.
struct Channels {
  explicit Channels(const Shape& shape) : C(shape[1]), HW(1), n(shape[0]) {
    for (int i = 2; i < shape.rank(); ++i) HW *= shape[i];
    n *= HW;
  }
  size_t of(int64_t index) const { return static_cast<size_t>(index / HW % C); }
  int64_t C, HW, n;
};

/// Σ of the values of each channel, and √Σ of their squares.
struct ChannelSums {
  Numbers sum, root_of_squares;
};

template <class Value>
ChannelSums sum_by_channel(const Shape& shape, const Value& value) {
  const Channels channels(shape);
  const auto C = static_cast<size_t>(channels.C);
  ChannelSums result{Numbers(C), Numbers(C)};
  for (int64_t i = 0; i < numel(shape); ++i) {
    const size_t c = channels.of(i);
    const double v = value(i, c);
    result.sum[c] += v;
    result.root_of_squares[c] += v * v;
  }
  for (double& squares : result.root_of_squares) squares = std::sqrt(squares);
  return result;
}

struct Statistics {
  Numbers mean, variance;  // biased
  Numbers mean_scale;      // size of the rounding errors of the mean
};

inline Statistics statistics_of(const Shape& shape, const Numbers& x) {
  const auto n = static_cast<double>(Channels(shape).n);
  const auto at = [&](int64_t i) { return x[static_cast<size_t>(i)]; };
  ChannelSums first = sum_by_channel(shape, [&](int64_t i, size_t) { return at(i); });
  for (double& sum : first.sum) sum /= n;
  for (double& scale : first.root_of_squares) scale /= n;
  ChannelSums second =
      sum_by_channel(shape, [&](int64_t i, size_t c) { return std::pow(at(i) - first.sum[c], 2); });
  for (double& sum : second.sum) sum /= n;
  return {first.sum, second.sum, first.root_of_squares};
}

/// y of one element. The mean is subtracted as the f32 it is kept as: hence its share of the scale.
inline Expected normalised(double x, double mean, double scale, double bias, double residual,
                           bool relu) {
  const double y = (x - mean) * scale + bias + residual;
  const double size =
      (std::abs(x - mean) + std::abs(mean)) * std::abs(scale) + std::abs(bias) + std::abs(residual);
  if (relu && y <= 0) return {0, size};
  return {y, size};
}

/// Normal values about `mean`, in standard deviations; each channel has a spread of its own.
inline View spread_image(Operands& operands, const Shape& shape, double mean, DType dtype,
                         Layout layout) {
  const Channels channels(shape);
  const Values normal = normal_values();
  return operands.input(dtype, shape, layout, [=](int64_t i, uint32_t word) {
    const double spread = 1 + static_cast<double>(channels.of(i) % 3);
    return spread * (normal(i, word) + mean - 0.25);
  });
}

inline View by_channel(Operands& operands, const Shape& shape, double low, double high) {
  return operands.input(DType::f32, {shape[1]}, Layout::nchw, uniform_values(low, high));
}

/// Makes the outputs of a training op that hold statistics, and says what is expected of them.
/// Returns inverse_std.
template <class Op>
Numbers expect_statistics(Operands& operands, const Shape& shape, const Statistics& s, bool running,
                          Problem<Op>& problem) {
  Op& op = problem.op;
  op.mean = operands.output(DType::f32, {shape[1]});
  op.inverse_std = operands.output(DType::f32, {shape[1]});
  Numbers result;
  std::vector<Expected> mean, inverse_std;
  for (size_t k = 0; k < s.mean.size(); ++k) {
    result.push_back(1 / std::sqrt(s.variance[k] + static_cast<double>(op.epsilon)));
    mean.push_back({s.mean[k], s.mean_scale[k]});
    inverse_std.push_back({result[k], result[k]});
  }
  problem.expectations.push_back(expect("mean", op.mean, mean));
  problem.expectations.push_back(expect("inverse_std", op.inverse_std, inverse_std));
  if (!running) return result;

  op.running_mean = by_channel(operands, shape, -1, 1);
  op.running_variance = by_channel(operands, shape, 0.5, 2);
  const Numbers old_mean = operands.read(op.running_mean);
  const Numbers old_variance = operands.read(op.running_variance);
  const auto n = static_cast<double>(Channels(shape).n);
  const auto momentum = static_cast<double>(op.momentum);
  std::vector<Expected> new_mean, new_variance;
  for (size_t k = 0; k < s.mean.size(); ++k) {
    const double unbiased = s.variance[k] * n / (n - 1);
    new_mean.push_back({(1 - momentum) * old_mean[k] + momentum * s.mean[k],
                        std::abs(old_mean[k]) + std::abs(s.mean[k]) + s.mean_scale[k]});
    new_variance.push_back(
        {(1 - momentum) * old_variance[k] + momentum * unbiased, old_variance[k] + unbiased});
  }
  problem.expectations.push_back(expect("running_mean", op.running_mean, new_mean));
  problem.expectations.push_back(expect("running_variance", op.running_variance, new_variance));
  return result;
}

/// Has a training op count the batches.
template <class Op>
void expect_count(Operands& operands, Problem<Op>& problem) {
  const View count =
      operands.input(DType::i64, {}, Layout::nchw, [](int64_t, uint32_t) { return 41; });
  problem.op.num_batches_tracked = count;
  problem.expectations.push_back(expect("num_batches_tracked", count, {{42, 0}}));
}

/// Makes the inputs of a backward op that hold statistics.
template <class Op>
void give_statistics(Operands& operands, const Statistics& s, Op& op) {
  const auto by_c = [&](const auto& value) {
    return operands.input(DType::f32, {static_cast<int64_t>(s.mean.size())}, Layout::nchw,
                          [&](int64_t k, uint32_t) { return value(static_cast<size_t>(k)); });
  };
  op.mean = by_c([&](size_t k) { return s.mean[k]; });
  op.inverse_std = by_c([&](size_t k) { return 1 / std::sqrt(s.variance[k] + 1e-5); });
}

/// dx from g, the gradient behind the ReLU.
struct BackwardDefinition {
  Shared x, g;
  Shared size;  // of the terms of g: √Σ of their squares
  Numbers weight, mean, inverse_std;
  ChannelSums bias, product;  // Σ g and Σ g · x̂
  Channels channels;
  bool batch_statistics;

  Expected dx(int64_t index) const {
    const auto i = static_cast<size_t>(index);
    const size_t k = channels.of(index);
    const double scale = weight[k] * inverse_std[k];
    const double gradient = (*g)[i], terms = std::abs((*size)[i]);
    if (!batch_statistics) return {scale * gradient, std::abs(scale) * terms};
    const auto n = static_cast<double>(channels.n);
    const double x_hat = ((*x)[i] - mean[k]) * inverse_std[k];
    const double mean_size = (std::abs(bias.sum[k]) + bias.root_of_squares[k]) / n;
    const double product_size = (std::abs(product.sum[k]) + product.root_of_squares[k]) / n;
    return {scale * (gradient - bias.sum[k] / n - x_hat * product.sum[k] / n),
            std::abs(scale) * (terms + mean_size + std::abs(x_hat) * product_size)};
  }
};

/// Makes the outputs of a backward op that belong to channels, and says what is expected of them
/// and of dx.
template <class Op>
void expect_gradients(Operands& operands, const std::shared_ptr<const BackwardDefinition>& of,
                      Problem<Op>& problem) {
  Op& op = problem.op;
  op.dweight = operands.output(DType::f32, {of->channels.C});
  op.dbias = operands.output(DType::f32, {of->channels.C});
  std::vector<Expected> dweight, dbias;
  for (size_t k = 0; k < of->mean.size(); ++k) {
    // x − mean rounds all equal values of a coarse dtype the same way: an error of u · |x̂| that Σ g
    // does not average out.
    const double shared_rounding = std::abs(of->bias.sum[k]) / default_factor;
    dweight.push_back({of->product.sum[k], of->product.root_of_squares[k] + shared_rounding});
    dbias.push_back({of->bias.sum[k], of->bias.root_of_squares[k]});
  }
  problem.expectations.push_back({"dx", op.dx, [of](int64_t i) { return of->dx(i); }});
  problem.expectations.push_back(expect("dweight", op.dweight, dweight));
  problem.expectations.push_back(expect("dbias", op.dbias, dbias));
}

}  // namespace burin::checks
