#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "burin/kernels/base/shape.h"
#include "burin/kernels/check/tolerance.h"

/// The definition of batch normalisation, by logical index into [N, C, …].
namespace burin::checks {

using Numbers = std::vector<double>;
using Shared = std::shared_ptr<const Numbers>;

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

}  // namespace burin::checks
