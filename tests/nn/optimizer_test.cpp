#include <gtest/gtest.h>

#include <cmath>

#include "burin/nn/adam.h"
#include "burin/nn/ema.h"
#include "burin/nn/linear.h"
#include "burin/nn/sgd.h"
#include "support/expect_error.h"

namespace burin::nn {
namespace {

const std::vector<std::vector<float>> gradients = {
    {0.5f, -1, 0.25f}, {-0.75f, 0.5f, 2}, {0.125f, 0.25f, -0.5f}};

Tensor parameter() {
  Tensor p = Tensor::from(std::vector<float>{1, -2, 0.5f}, {3});
  p.set_requires_grad(true);
  return p;
}

ParameterGroup group_of(const Tensor& p, double learning_rate, double weight_decay = 0,
                        double momentum = 0.9) {
  ParameterGroup group;
  group.parameters = {{"p", p}};
  group.learning_rate = learning_rate;
  group.weight_decay = weight_decay;
  group.momentum = momentum;
  return group;
}

/// Three steps with the gradients above; expects torch's numbers
/// (tests/golden/make_optimizer_golden.py).
void expect_steps(Optimizer& optimizer, Tensor p, const std::vector<float>& expected) {
  for (const std::vector<float>& gradient : gradients) {
    p.set_grad(Tensor::from(gradient, {3}));
    optimizer.step();
  }
  const std::vector<float> values = p.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 2e-6) << i;
}

TEST(Adam, StepsAsTorch) {
  const Tensor p = parameter();
  Adam adam({group_of(p, 1e-2)});
  expect_steps(adam, p, {0.993495524f, -1.98672271f, 0.477161199f});
  const Tensor q = parameter();
  Adam with_decay({group_of(q, 1e-2, 0.1)});
  expect_steps(with_decay, q, {0.990063846f, -1.98195755f, 0.47673592f});
  const Tensor r = parameter();
  Adam adamw({group_of(r, 1e-2, 0.1)}, {.decoupled_weight_decay = true});
  expect_steps(adamw, r, {0.990516126f, -1.98075151f, 0.475690901f});
}

TEST(Sgd, StepsAsTorch) {
  const Tensor p = parameter();
  Sgd plain({group_of(p, 0.1, 0, 0)});
  expect_steps(plain, p, {1.01249993f, -1.9749999f, 0.324999988f});
  const Tensor q = parameter();
  Sgd momentum({group_of(q, 0.1, 0.01)});
  expect_steps(momentum, q, {0.989009738f, -1.83811951f, 0.099742353f});
  const Tensor r = parameter();
  Sgd nesterov({group_of(r, 0.1)}, true);
  expect_steps(nesterov, r, {1.00755f, -1.8391f, -0.0329750068f});
}

TEST(Optimizer, ClipsByTheGlobalNorm) {
  Tensor p = parameter();
  Sgd sgd({group_of(p, 1, 0, 0)});
  p.set_grad(Tensor::from(std::vector<float>{3, 0, 4}, {3}));
  EXPECT_NEAR(sgd.clip_gradients(1).item(), 5, 1e-5);
  sgd.step();
  const std::vector<float> values = p.to_vector<float>();
  EXPECT_NEAR(values[0], 1 - 0.6, 1e-5);
  EXPECT_NEAR(values[2], 0.5 - 0.8, 1e-5);
  p.set_grad(Tensor::from(std::vector<float>{0.3f, 0, 0}, {3}));
  sgd.clip_gradients(1);  // below the limit: as it is
  sgd.step();
  EXPECT_NEAR(p.to_vector<float>()[0], 0.4 - 0.3, 1e-5);
}

TEST(Optimizer, ClipsTheGradientsThatItMeasured) {
  Tensor p = parameter();
  Sgd sgd({group_of(p, 1, 0, 0)});
  p.set_grad(Tensor::from(std::vector<float>{30, 0, 0}, {3}));
  sgd.clip_gradients(1);
  sgd.zero_grad();  // before any step, as where one ended in an exception
  p.set_grad(Tensor::from(std::vector<float>{0.5f, 0, 0}, {3}));
  sgd.step();
  EXPECT_FLOAT_EQ(p.to_vector<float>()[0], 1 - 0.5f);
}

TEST(Optimizer, SparesVectorsFromDecayWhenTold) {
  Generator generator(1);
  Linear layer(2, 2, true, generator);
  ParameterGroup group;
  group.parameters = parameters(layer);
  group.learning_rate = 0.1;
  group.weight_decay = 0.5;
  group.momentum = 0;
  group.decay_vectors = false;
  Sgd sgd({group});
  const std::vector<float> weight = layer.weight.to_vector<float>();
  const std::vector<float> bias = layer.bias.to_vector<float>();
  for (NamedTensor& p : group.parameters) p.tensor.set_grad(zeros(p.tensor.shape()));
  sgd.step();
  EXPECT_EQ(layer.bias.to_vector<float>(), bias);
  EXPECT_NEAR(layer.weight.to_vector<float>()[0], 0.95 * weight[0], 1e-6);
}

TEST(Optimizer, RefusesAParameterInTwoGroups) {
  const Tensor p = parameter();
  expect_error([&] { Sgd({group_of(p, 0.1), group_of(p, 0.2)}); }, "p is in two groups");
}

TEST(Ema, AveragesAndSwaps) {
  Generator generator(1);
  Linear layer(1, 1, false, generator);
  fill_(layer.weight, 1);
  Ema ema(layer, 0.75, false);
  fill_(layer.weight, 5);
  ema.update();  // 0.75 · 1 + 0.25 · 5
  ema.swap();
  EXPECT_FLOAT_EQ(layer.weight.to_vector<float>()[0], 2);
  ema.swap();
  EXPECT_FLOAT_EQ(layer.weight.to_vector<float>()[0], 5);
}

// d = min(decay, 1 − (1 + t)^(−2/3)): 1 − 2^(−2/3) in the first update.
TEST(Ema, WarmsUp) {
  Generator generator(1);
  Linear layer(1, 1, false, generator);
  fill_(layer.weight, 1);
  Ema ema(layer, 0.5, true);
  fill_(layer.weight, 5);
  ema.update();
  const float first = 1 - std::pow(2.0f, -2.0f / 3);
  EXPECT_FLOAT_EQ(ema.averages()[0].tensor.to_vector<float>()[0], first + (1 - first) * 5);
  ema.set_updates(1000);
  fill_(ema.averages()[0].tensor, 1);
  ema.update();
  EXPECT_FLOAT_EQ(ema.averages()[0].tensor.to_vector<float>()[0], 3);
}

}  // namespace
}  // namespace burin::nn
