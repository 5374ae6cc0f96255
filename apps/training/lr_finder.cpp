#include "burin/apps/training/lr_finder.h"

#include <algorithm>
#include <cmath>

#include "burin/apps/training/trainer.h"
#include "burin/tensor/autograd.h"

namespace burin::apps {
namespace {

/// numpy.gradient: central differences, one-sided at the ends.
std::vector<double> gradient(const std::vector<double>& y) {
  const size_t n = y.size();
  std::vector<double> result(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t before = i == 0 ? 0 : i - 1, after = std::min(i + 1, n - 1);
    result[i] = (y[after] - y[before]) / static_cast<double>(after - before);
  }
  return result;
}

// The four rules are fastai's, callback/schedule.py, line by line.

double valley(const LearningRateCurve& curve) {
  const std::vector<double>& losses = curve.losses;
  std::vector<int64_t> length(losses.size(), 1);  // of the longest descent that ends here
  int64_t max_start = 0, max_end = 0;
  const auto at = [&](int64_t i) -> int64_t& { return length[static_cast<size_t>(i)]; };
  for (int64_t i = 1; i < static_cast<int64_t>(losses.size()); ++i) {
    for (int64_t j = 0; j < i; ++j) {
      const bool falls = losses[static_cast<size_t>(i)] < losses[static_cast<size_t>(j)];
      if (falls && at(i) < at(j) + 1) at(i) = at(j) + 1;
      if (at(max_end) < at(i)) {
        max_end = i;
        max_start = max_end - at(max_end);
      }
    }
  }
  const double section = static_cast<double>(max_end - max_start) / 3;
  const int64_t index =
      max_start + static_cast<int64_t>(section) + static_cast<int64_t>(section / 2);
  return curve.rates[static_cast<size_t>(std::max<int64_t>(index, 0))];
}

double slide(const LearningRateCurve& curve) {
  constexpr int64_t distance = 15;
  constexpr double threshold = 0.005;
  const std::vector<double> slope = gradient(curve.losses);
  const auto n = static_cast<int64_t>(slope.size());
  int64_t right = n - 1, left = right - distance;
  if (left < 0) return 0;
  double rate = curve.rates[static_cast<size_t>(left)];
  while (left >= 0 && std::abs(slope[static_cast<size_t>(right)] -
                               slope[static_cast<size_t>(left)]) > threshold) {
    rate = curve.rates[static_cast<size_t>(left)];
    --right;
    --left;
  }
  return rate;
}

double steep(const LearningRateCurve& curve) {
  size_t best = 0;
  double steepest = 0;
  for (size_t i = 0; i + 1 < curve.losses.size(); ++i) {
    const double slope = (curve.losses[i + 1] - curve.losses[i]) /
                         (std::log(curve.rates[i + 1]) - std::log(curve.rates[i]));
    if (i == 0 || slope < steepest) {
      steepest = slope;
      best = i;
    }
  }
  return curve.rates[best];
}

}  // namespace

LearningRateSuggestions suggest_learning_rates(const LearningRateCurve& curve, int64_t steps) {
  constexpr int64_t left_out = 5;
  const int64_t first = steps / 10;
  const int64_t last = static_cast<int64_t>(curve.losses.size()) - left_out;
  if (last - first < 3) return {};
  LearningRateCurve part;
  for (int64_t i = first; i < last; ++i) {
    const auto at = static_cast<size_t>(i);
    if (std::isnan(curve.losses[at])) continue;
    part.rates.push_back(curve.rates[at]);
    part.losses.push_back(curve.losses[at]);
  }
  if (part.losses.size() < 3) return {};
  const auto least = std::min_element(part.losses.begin(), part.losses.end());
  return {.valley = valley(part),
          .slide = slide(part),
          .minimum = part.rates[static_cast<size_t>(least - part.losses.begin())] / 10,
          .steep = steep(part)};
}

LearningRateCurve Trainer::find_learning_rate(const LearningRateSearch& search) {
  constexpr double beta = 0.98;
  LearningRateCurve curve;
  double average = 0, best = 0;
  epoch_ = 0;
  train_source_->start(epoch_, 0);
  for (int64_t i = 0; i < search.steps && !stop_requested(); ++i) {
    std::optional<TrainBatch> batch = train_source_->next();
    if (!batch) {
      train_source_->start(++epoch_, 0);
      batch = train_source_->next();
    }
    const double rate =
        search.first * std::pow(search.last / search.first,
                                static_cast<double>(i) / static_cast<double>(search.steps));
    for (nn::ParameterGroup& group : optimizer_->groups()) group.learning_rate = rate;
    optimizer_->zero_grad();
    const Tensor loss = loss_of(*batch, i);
    backward(loss);
    optimizer_->step();

    average = beta * average + (1 - beta) * loss.item();
    const double smooth = average / (1 - std::pow(beta, static_cast<double>(i + 1)));
    curve.rates.push_back(rate);
    curve.losses.push_back(smooth);
    best = i == 0 ? smooth : std::min(best, smooth);
    if (!(smooth <= search.stop_factor * best)) break;  // NaN ends it too
    if (callbacks_.on_step) {
      callbacks_.on_step({.epoch = 1,
                          .epochs = 1,
                          .step = i + 1,
                          .steps = search.steps,
                          .images = (i + 1) * batch->size(),
                          .loss = smooth});
    }
  }
  return curve;
}

}  // namespace burin::apps
