#include "burin/nn/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "burin/nn/linear.h"
#include "support/expect_error.h"

namespace burin::nn {
namespace {

const Shape shape = {64, 32, 3, 3};
constexpr double fan_in = 32 * 9, fan_out = 64 * 9;

/// Of many numbers the largest comes close to the bound and none passes it.
void expect_uniform_within(const Tensor& weight, double bound) {
  double largest = 0;
  for (const double x : weight.to_vector<double>()) largest = std::max(largest, std::abs(x));
  EXPECT_LE(largest, bound * (1 + 1e-6));
  EXPECT_GT(largest, 0.99 * bound);
}

double variance_of(const Tensor& weight) {
  double squares = 0;
  for (const double x : weight.to_vector<double>()) squares += x * x;
  return squares / static_cast<double>(weight.numel());
}

TEST(Init, CountsTheFansOfConvolutionsAndLinearLayers) {
  EXPECT_EQ(fans_of(zeros(shape)).in, fan_in);
  EXPECT_EQ(fans_of(zeros(shape)).out, fan_out);
  EXPECT_EQ(fans_of(zeros({10, 7})).in, 7);
  EXPECT_EQ(fans_of(zeros({10, 7})).out, 10);
}

TEST(Init, RefusesALayerWithoutFeatures) {
  Generator generator(0);
  expect_error([&] { Linear(0, 3, true, generator); }, "a weight [3, 0] has no fans");
  expect_error([&] { Linear(3, 0, true, generator); }, "a weight [0, 3] has no fans");
}

TEST(Init, DrawsKaimingsAndGlorotsDistributions) {
  Generator generator(0);
  Tensor weight = empty(shape);
  kaiming_uniform_(weight, std::sqrt(5.0), generator);
  expect_uniform_within(weight, 1 / std::sqrt(fan_in));
  xavier_uniform_(weight, generator);
  expect_uniform_within(weight, std::sqrt(6 / (fan_in + fan_out)));

  kaiming_normal_(weight, fans_of(weight).out, generator);
  EXPECT_NEAR(variance_of(weight), 2 / fan_out, 0.05 * 2 / fan_out);  // four deviations: 0.042
}

TEST(Init, DrawsTheWeightsOfTransformersAsWideAsTimm) {
  Generator generator(0);
  Linear linear(64, 288, true, generator);
  normal_weights_(linear, 0.02, generator);
  EXPECT_NEAR(variance_of(linear.weight), 4e-4, 0.05 * 4e-4);
  EXPECT_EQ(linear.bias.to_vector<float>(), std::vector<float>(288));
}

}  // namespace
}  // namespace burin::nn
