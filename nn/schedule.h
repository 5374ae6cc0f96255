#pragma once

#include <cstdint>

namespace burin::nn {

/// Learning rate and momentum as functions of training's progress. `position` is the share of the
/// planned steps that were taken before this one: (epoch + batch / batches) / epochs, in [0, 1).

/// a → b along half a cosine as p goes 0 → 1: a + (1 + cos(π(1 − p)))·(b − a) / 2.
double cosine_between(double a, double b, double p);

/// One cycle: Smith 2018, arXiv:1803.09820, with fastai's cosine pieces and constants. The rate
/// rises from max / divisor to max over the first `warm_share`, then falls to max / final_divisor;
/// the momentum goes the other way, between `momentum_high` and `momentum_low`.
struct OneCycle {
  double max_learning_rate = 1e-3;
  double warm_share = 0.25;
  double divisor = 25;
  double final_divisor = 1e5;
  double momentum_high = 0.95;
  double momentum_low = 0.85;

  double learning_rate(double position) const;
  double momentum(double position) const;
};

/// Rises linearly from 0 over the first `warm_share`, then falls along half a cosine to `minimum`.
/// Loshchilov & Hutter 2017, arXiv:1608.03983.
struct CosineWithWarmUp {
  double max_learning_rate = 1e-3;
  double warm_share = 0;
  double minimum = 0;

  double learning_rate(double position) const;
};

/// torch's StepLR: multiplied by `factor` every `every_epochs`.
struct StepDecay {
  double initial_learning_rate = 1e-3;
  int64_t every_epochs = 30;
  double factor = 0.1;

  double learning_rate(int64_t epoch) const;
};

}  // namespace burin::nn
