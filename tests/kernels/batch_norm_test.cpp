// What batch_norm.h promises beyond the cases of kernels/check/batch_norm.cpp.
#include "burin/kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "burin/kernels/check/operands.h"
#include "burin/kernels/run.h"
#include "kernels/on_device.h"
#include "support/expect_error.h"

namespace burin {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Operands of a training step over x [N, C, 1, W] in nhwc: neighbours are channels.
struct Step {
  Step(int64_t N, int64_t C, int64_t W, std::vector<float> values)
      : x(std::move(values)),
        y(x.size()),
        weight(static_cast<size_t>(C), 1),
        bias(weight.size(), 0),
        mean(weight.size()),
        inverse_std(weight.size()),
        running_mean(weight.size(), 0),
        running_variance(weight.size(), 1),
        mask((x.size() + 7) / 8, 0xCB) {
    const Shape image = {N, C, 1, W};
    op.x = ConstView::dense(x.data(), DType::f32, image, Layout::nhwc);
    op.y = View::dense(y.data(), DType::f32, image, Layout::nhwc);
    op.weight = by_channel(weight);
    op.bias = by_channel(bias);
    op.mean = by_channel(mean);
    op.inverse_std = by_channel(inverse_std);
    op.running_mean = by_channel(running_mean);
    op.running_variance = by_channel(running_variance);
  }
  static View by_channel(std::vector<float>& values) {
    return View::dense(values.data(), DType::f32, {static_cast<int64_t>(values.size())});
  }
  void with_relu() {
    op.relu = true;
    op.relu_mask =
        View::dense(mask.data(), DType::u8, {static_cast<int64_t>(mask.size())}, Layout::nchw);
  }
  void run() {
    Stream stream(Device::cpu());
    burin::run(op, stream);
  }

  std::vector<float> x, y, weight, bias, mean, inverse_std, running_mean, running_variance;
  std::vector<uint8_t> mask;
  BatchNormTrain op;
};

TEST(BatchNorm, RunningVarianceIsUnbiasedAndInverseStdIsNot) {
  Step step(2, 1, 2, {1, 2, 3, 6});  // mean 3, Σ (x − 3)² = 14
  step.run();
  EXPECT_FLOAT_EQ(step.mean[0], 3);
  EXPECT_FLOAT_EQ(step.inverse_std[0], 1 / std::sqrt(14.0f / 4 + 1e-5f));
  EXPECT_FLOAT_EQ(step.running_mean[0], 0.1f * 3);
  EXPECT_FLOAT_EQ(step.running_variance[0], 0.9f + 0.1f * 14 / 3);
}

TEST(BatchNorm, RunningStatisticsMayBeAbsent) {
  Step step(2, 1, 2, {1, 2, 3, 6});
  step.op.running_mean = {};
  step.op.running_variance = {};
  step.run();
  EXPECT_FLOAT_EQ(step.mean[0], 3);
  EXPECT_EQ(step.running_mean[0], 0);
}

TEST(BatchNorm, CountsTheBatches) {
  Step step(2, 1, 2, {1, 2, 3, 6});
  int64_t count = 41;
  step.op.num_batches_tracked = View::dense(&count, DType::i64, {});
  step.run();
  EXPECT_EQ(count, 42);
}

TEST(BatchNorm, MaskHasOneBitPerElementInMemoryOrderAndZeroSpareBits) {
  // Channels alternate in memory; channel 0 of the first positions lies below its mean.
  Step step(1, 2, 5, {-1, 1, -1, 1, 1, -1, 1, 1, 0, -1});
  step.with_relu();
  step.run();
  ASSERT_EQ(step.mask.size(), 2U);
  for (size_t i = 0; i < step.y.size(); ++i) {
    EXPECT_EQ(step.mask[i / 8] >> i % 8 & 1, step.y[i] > 0 ? 1 : 0) << "element " << i;
  }
  EXPECT_EQ(step.mask[1] >> 2, 0);
}

TEST(BatchNorm, NanTravelsThroughReluAndItsMask) {
  Step step(1, 2, 4, {1, 2, nan, 4, 5, 7, 6, 9});
  step.with_relu();
  step.run();
  for (size_t i = 0; i < step.y.size(); i += 2) {
    EXPECT_TRUE(std::isnan(step.y[i]));
    EXPECT_EQ(step.mask[0] >> i & 1, 1) << "NaN passes its gradient on";
  }
  EXPECT_FALSE(std::isnan(step.y[1])) << "the other channel has nothing to do with it";
}

TEST(BatchNorm, RefusesAnImageThatIsDenseInNoLayout) {
  Step step(2, 1, 2, {1, 2, 3, 6});
  step.op.x.strides = {3, 1, 1, 1};
  expect_error([&] { step.run(); }, "x is dense in no layout");
}

TEST(BatchNorm, RefusesAResidualOfAnotherDtype) {
  Step step(2, 1, 2, {1, 2, 3, 6});
  step.op.residual = step.op.x;
  step.op.residual.dtype = DType::bf16;
  expect_error([&] { step.run(); }, "the residual differs from x in dtype or layout");
}

TEST(BatchNorm, RefusesRanksItHasNoLayoutFor) {
  Step step(2, 1, 2, {1, 2, 3, 6});
  step.op.x = ConstView::dense(step.x.data(), DType::f32, {2, 1, 2});
  expect_error([&] { step.run(); }, "x [2, 1, 2], neither [N, C] nor [N, C, H, W]");
}

// dx is orthogonal to what normalisation removes: a constant, and x̂ itself.
TEST(BatchNorm, BackwardAddsNothingAlongTheMeanAndTheSpread) {
  checks::Operands operands(Device::cpu());
  const Shape image = {3, 5, 7, 6}, by_c = {5};
  BatchNormTrain forward;
  forward.x = operands.input(DType::f32, image, Layout::nhwc);
  forward.weight = operands.input(DType::f32, by_c);
  forward.bias = operands.input(DType::f32, by_c);
  forward.y = operands.output(DType::f32, image, Layout::nhwc);
  forward.mean = operands.output(DType::f32, by_c);
  forward.inverse_std = operands.output(DType::f32, by_c);
  forward.epsilon = 1e-12f;
  run(forward, operands.stream());
  BatchNormBackward backward;
  backward.dy = operands.input(DType::f32, image, Layout::nhwc);
  backward.x = forward.x;
  backward.weight = forward.weight;
  backward.mean = forward.mean;
  backward.inverse_std = forward.inverse_std;
  backward.dx = operands.output(DType::f32, image, Layout::nhwc);
  backward.dweight = operands.output(DType::f32, by_c);
  backward.dbias = operands.output(DType::f32, by_c);
  run(backward, operands.stream());

  const std::vector<double> dx = operands.read(backward.dx), x = operands.read(forward.x);
  for (int64_t c = 0; c < 5; ++c) {
    double sum = 0, along_x = 0;
    for (int64_t i = 0; i < numel(image); ++i) {
      if (i / 42 % 5 != c) continue;
      sum += dx[static_cast<size_t>(i)];
      along_x += dx[static_cast<size_t>(i)] * x[static_cast<size_t>(i)];
    }
    EXPECT_NEAR(sum, 0, 2e-5);
    EXPECT_NEAR(along_x, 0, 2e-5);
  }
}

class BatchNormOfGivenStatistics : public OnDevice {};

TEST_P(BatchNormOfGivenStatistics, HasAGradientThatKnowsNothingOfX) {
  const Shape image = {2, 16, 5, 3}, by_c = {16};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      checks::Operands operands(device());
      const auto constant = [&](double value) {
        return operands.input(DType::f32, by_c, Layout::nchw, checks::constant_values(value));
      };
      BatchNormBackward op;
      op.batch_statistics = false;
      op.dy = operands.input(dtype, image, layout, checks::constant_values(3));
      op.x = operands.input(dtype, image, layout, [](int64_t i, uint32_t /*word*/) {
        return i % 50 == 7 ? std::numeric_limits<double>::infinity() : 1.0;
      });
      op.weight = constant(2);
      op.mean = constant(0);
      op.inverse_std = constant(0.25);
      op.dx = operands.output(dtype, image, layout);
      op.dweight = operands.output(DType::f32, by_c);
      op.dbias = operands.output(DType::f32, by_c);
      for (const Candidate& candidate : candidates(op, Context{operands.stream()})) {
        if (!candidate.refusal.empty()) continue;
        const ImplGuard guard(str(op.name, '=', candidate.name));
        run(op, operands.stream());
        EXPECT_EQ(operands.read(op.dx), std::vector<double>(static_cast<size_t>(numel(image)), 1.5))
            << candidate.name << ' ' << dtype << ' ' << layout;
      }
    }
  }
}

RUN_ON_DEVICES(BatchNormOfGivenStatistics);

}  // namespace
}  // namespace burin
