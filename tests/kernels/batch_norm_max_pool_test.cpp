// What batch_norm_max_pool.h promises beyond the cases of kernels/check/batch_norm_max_pool.cpp.
#include "burin/kernels/batch_norm_max_pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "burin/kernels/check/operands.h"
#include "burin/kernels/run.h"
#include "support/expect_error.h"

namespace burin {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A training step on two channels of one image of two windows side by side.
struct Step {
  explicit Step(checks::Values values, const Pool2dParams& params = {2, 2, 2, 2})
      : operands(Device::cpu()) {
    const Shape image = {1, 2, 2, 4}, pooled = {1, 2, 1, 2}, by_c = {2};
    const auto by_channel = [&](double first, double second) {
      return operands.input(DType::f32, by_c, Layout::nchw,
                            [=](int64_t c, uint32_t) { return c == 0 ? first : second; });
    };
    op.x = operands.input(DType::f32, image, Layout::nhwc, values);
    op.weight = by_channel(1, -1);
    op.bias = by_channel(0, 0);
    op.y = operands.output(DType::f32, pooled, Layout::nhwc);
    op.index = operands.output(DType::u8, pooled, Layout::nhwc);
    op.chosen = operands.output(DType::f32, pooled, Layout::nhwc);
    op.mean = operands.output(DType::f32, by_c);
    op.inverse_std = operands.output(DType::f32, by_c);
    op.params = params;
  }
  void run() { burin::run(op, operands.stream()); }

  checks::Operands operands;
  BatchNormMaxPoolTrain op;
};

/// Both channels hold −8 … −1 in scan order.
double rising(int64_t i, uint32_t /*word*/) {
  return static_cast<double>(i % 8) - 8;
}

TEST(BatchNormMaxPool, ANegativeWeightChoosesTheSmallest) {
  Step step(rising);
  step.run();
  EXPECT_EQ(step.operands.read(step.op.index), (std::vector<double>{3, 3, 0, 0}));
  EXPECT_EQ(step.operands.read(step.op.chosen), (std::vector<double>{-3, -1, -8, -6}));
}

TEST(BatchNormMaxPool, TheIndexSaysWhatTheReluStopped) {
  Step step([](int64_t i, uint32_t) { return i % 4 < 2 ? 0.0 : 1.0; });
  step.run();
  EXPECT_EQ(step.operands.read(step.op.index),
            (std::vector<double>{stopped_by_relu, 0, 0, stopped_by_relu}));
  EXPECT_EQ(step.operands.read(step.op.y)[0], 0);
}

TEST(BatchNormMaxPool, NanTravelsThroughReluAndPassesItsGradient) {
  Step step([](int64_t i, uint32_t word) { return i == 1 ? nan : rising(i, word); });
  step.run();
  const std::vector<double> y = step.operands.read(step.op.y);
  const std::vector<double> index = step.operands.read(step.op.index);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_TRUE(index[0] < 4 && index[1] < 4);
  EXPECT_FALSE(std::isnan(y[2])) << "the other channel has nothing to do with it";
}

TEST(BatchNormMaxPool, RefusesWindowsThatAnIndexCannotSay) {
  Step step(rising, {16, 16, 2, 2, 8, 8});
  expect_error([&] { step.run(); }, "windows of over 255 elements");
}

TEST(BatchNormMaxPool, RefusesAnIndexThatLiesOtherwise) {
  Step step(rising);
  step.op.index = step.operands.output(DType::u8, {1, 2, 1, 2}, Layout::nchw);
  expect_error([&] { step.run(); }, "the index does not lie like what is pooled");
}

TEST(BatchNormMaxPool, RefusesChosenElementsOfAnotherDtype) {
  Step step(rising);
  step.op.chosen = step.operands.output(DType::bf16, {1, 2, 1, 2}, Layout::nhwc);
  expect_error([&] { step.run(); },
               "the chosen elements differ from what is pooled in dtype or layout");
}

}  // namespace
}  // namespace burin
