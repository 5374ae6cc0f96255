#pragma once

#include <string>
#include <utility>
#include <vector>

namespace burin::apps {

/// A learning-rate range test: Smith 2017, arXiv:1506.01186, as fastai's lr_find does it.

struct LearningRateSearch {
  double first = 1e-7;
  double last = 10;
  int64_t steps = 100;
  double stop_factor = 4;  // ends where the smoothed loss is so many times the best
};

/// The rate of each step taken and the loss there, smoothed: the running mean with β = 0.98,
/// corrected for its start.
struct LearningRateCurve {
  std::vector<double> rates;
  std::vector<double> losses;
};

/// What each of fastai's rules makes of a curve. 0 where it is too short.
struct LearningRateSuggestions {
  double valley = 0;   // a third and a half of a third into the longest descent: the one to take
  double slide = 0;    // where the last steep change ended
  double minimum = 0;  // a tenth of the rate of the least loss
  double steep = 0;    // where the loss falls fastest
};
/// `steps` as the search had it: the first tenth and the last five points are left out.
LearningRateSuggestions suggest_learning_rates(const LearningRateCurve& curve, int64_t steps);

}  // namespace burin::apps
