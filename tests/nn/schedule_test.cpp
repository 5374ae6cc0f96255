#include "burin/nn/schedule.h"

#include <gtest/gtest.h>

namespace burin::nn {
namespace {

// fastai's fit_one_cycle, recorded: the head's rate in the frozen epoch of fine_tune (10 steps).
TEST(OneCycle, EqualsFastaisFrozenPhase) {
  const OneCycle cycle{.max_learning_rate = 2e-3, .warm_share = 0.99, .divisor = 25};
  const double expected[] = {8.000e-5, 1.279e-4, 2.669e-4, 4.831e-4, 7.550e-4,
                             1.055e-3, 1.354e-3, 1.621e-3, 1.831e-3, 1.961e-3};
  for (int i = 0; i < 10; ++i) {
    EXPECT_NEAR(cycle.learning_rate(i / 10.0), expected[i], 6e-4 * expected[i]) << i;
  }
}

// The same for the unfrozen epochs (30 steps).
TEST(OneCycle, EqualsFastaisUnfrozenPhase) {
  const OneCycle cycle{.max_learning_rate = 1e-3, .warm_share = 0.3, .divisor = 5};
  const int steps[] = {0, 1, 5, 9, 10, 20, 29};
  const double rates[] = {2.000e-4, 2.241e-4, 6.695e-4, 1.000e-3, 9.944e-4, 4.626e-4, 5.595e-6};
  for (int i = 0; i < 7; ++i) {
    EXPECT_NEAR(cycle.learning_rate(steps[i] / 30.0), rates[i], 6e-4 * rates[i]) << steps[i];
  }
  EXPECT_NEAR(cycle.momentum(0), 0.95, 5e-5);
  EXPECT_NEAR(cycle.momentum(5 / 30.0), 0.8913, 5e-5);
  EXPECT_NEAR(cycle.momentum(9 / 30.0), 0.85, 5e-5);
  EXPECT_NEAR(cycle.momentum(29 / 30.0), 0.9494, 5e-5);
}

TEST(CosineWithWarmUp, RisesThenFalls) {
  const CosineWithWarmUp schedule{.max_learning_rate = 1, .warm_share = 0.2, .minimum = 0.1};
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0), 0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.1), 0.5);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.2), 1);
  EXPECT_NEAR(schedule.learning_rate(0.6), 0.55, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(1), 0.1, 1e-12);
}

TEST(StepDecay, FallsEveryFewEpochs) {
  const StepDecay schedule{.initial_learning_rate = 1, .every_epochs = 2, .factor = 0.5};
  EXPECT_EQ(schedule.learning_rate(1), 1);
  EXPECT_EQ(schedule.learning_rate(2), 0.5);
  EXPECT_EQ(schedule.learning_rate(5), 0.25);
}

}  // namespace
}  // namespace burin::nn
