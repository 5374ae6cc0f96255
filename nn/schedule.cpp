#include "burin/nn/schedule.h"

#include <cmath>
#include <numbers>

namespace burin::nn {

double cosine_between(double a, double b, double p) {
  return a + (1 + std::cos(std::numbers::pi * (1 - p))) * (b - a) / 2;
}

double OneCycle::learning_rate(double position) const {
  if (position < warm_share) {
    return cosine_between(max_learning_rate / divisor, max_learning_rate, position / warm_share);
  }
  return cosine_between(max_learning_rate, max_learning_rate / final_divisor,
                        (position - warm_share) / (1 - warm_share));
}

double OneCycle::momentum(double position) const {
  if (position < warm_share) {
    return cosine_between(momentum_high, momentum_low, position / warm_share);
  }
  return cosine_between(momentum_low, momentum_high, (position - warm_share) / (1 - warm_share));
}

double CosineWithWarmUp::learning_rate(double position) const {
  if (position < warm_share) return max_learning_rate * position / warm_share;
  const double p = warm_share < 1 ? (position - warm_share) / (1 - warm_share) : 1;
  return cosine_between(max_learning_rate, minimum, p);
}

double StepDecay::learning_rate(int64_t epoch) const {
  const int64_t decays = epoch / every_epochs;
  return initial_learning_rate * std::pow(factor, static_cast<double>(decays));
}

}  // namespace burin::nn
