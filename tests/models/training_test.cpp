// Training steps: held to PyTorch's losses, to what must be learnt, and to what they may allocate.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "burin/models/catalog.h"
#include "burin/models/resnet.h"
#include "burin/nn/adam.h"
#include "burin/nn/sgd.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "support/golden.h"

namespace burin::models {
namespace {

struct Images {
  Tensor x, target;
};

/// The images of tests/golden/make_loss_curve.py.
Images images(int64_t step, int64_t count, int64_t size, int64_t classes) {
  std::vector<float> values(static_cast<size_t>(count * 3 * size * size));
  for (size_t i = 0; i < values.size(); ++i) {
    const double at = static_cast<double>(i) + static_cast<double>(step) * 1000;
    values[i] = static_cast<float>(std::sin(at * at * 1e-3));
  }
  std::vector<int64_t> target;
  for (int64_t n = 0; n < count; ++n) target.push_back((n * n + step) % classes);
  return {Tensor::from(values, {count, 3, size, size}, {.layout = Layout::nhwc}),
          Tensor::from(target, {count}, {.dtype = DType::i64})};
}

/// One step as the trainer takes it; the loss before it.
Tensor step(Model& net, nn::Optimizer& optimizer, const Images& batch) {
  optimizer.zero_grad();
  const Tensor loss = cross_entropy(net.forward(batch.x), batch.target);
  backward(loss);
  optimizer.step();
  return loss;
}

// The numbers are tests/golden/make_loss_curve.py's, PyTorch 1.13.

using MakeOptimizer = std::unique_ptr<nn::Optimizer> (*)(std::vector<nn::ParameterGroup>);

struct Curve {
  const char* name;
  nn::ParameterGroup group;
  MakeOptimizer make;
  std::vector<double> losses;
};

class LossCurve : public testing::TestWithParam<Curve> {};

TEST_P(LossCurve, EqualsPyTorchsForTenSteps) {
  const testing_support::Golden golden("resnet_basic_small");
  Generator generator(0);
  ResNet net({.widths = {8, 12, 16, 20}, .depths = {2, 2, 2, 2}, .classes = 5}, generator);
  nn::to(net, Device::cpu(), Layout::nhwc);
  EXPECT_EQ(nn::load_state(net, golden.group("weights/")).to_string(), "");
  nn::ParameterGroup group = GetParam().group;
  group.parameters = nn::parameters(net);
  const auto optimizer = GetParam().make({group});
  for (size_t i = 0; i < GetParam().losses.size(); ++i) {
    const Tensor loss = step(net, *optimizer, images(static_cast<int64_t>(i), 8, 32, 5));
    EXPECT_NEAR(loss.item(), GetParam().losses[i], 2e-4) << "step " << i;
  }
}

std::unique_ptr<nn::Optimizer> adam(std::vector<nn::ParameterGroup> groups) {
  return std::make_unique<nn::Adam>(std::move(groups));
}
std::unique_ptr<nn::Optimizer> adamw(std::vector<nn::ParameterGroup> groups) {
  return std::make_unique<nn::Adam>(std::move(groups),
                                    nn::AdamOptions{.decoupled_weight_decay = true});
}
std::unique_ptr<nn::Optimizer> sgd(std::vector<nn::ParameterGroup> groups) {
  return std::make_unique<nn::Sgd>(std::move(groups));
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, LossCurve,
    testing::Values(Curve{"adam",
                          {.parameters = {}, .learning_rate = 1e-3},
                          adam,
                          {1.646742, 2.030106, 1.644941, 2.082090, 2.068232, 2.076466, 1.835031,
                           1.524791, 2.000001, 1.830572}},
                    Curve{"adamw",
                          {.parameters = {}, .learning_rate = 1e-3, .weight_decay = 0.05},
                          adamw,
                          {1.646742, 2.030027, 1.644895, 2.081873, 2.067890, 2.075978, 1.834893,
                           1.524683, 1.999565, 1.831601}},
                    Curve{"sgd",
                          {.parameters = {}, .learning_rate = 1e-3, .weight_decay = 1e-4},
                          sgd,
                          {1.646742, 2.160038, 1.504597, 1.947715, 2.137892, 1.801058, 1.916248,
                           1.647791, 1.803458, 1.726169}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Training, LearnsThirtyTwoImagesByHeart) {
  Generator generator(1);
  const auto net = make_model("resnet20", 5, generator);
  nn::to(*net, Device::cpu(), Layout::nhwc);
  nn::Adam optimizer({{.parameters = nn::parameters(*net), .learning_rate = 3e-3}});
  const Images batch = images(0, 32, 32, 5);
  double loss = 0;
  for (int i = 0; i < 60; ++i) loss = step(*net, optimizer, batch).item();
  EXPECT_LT(loss, 0.02);

  nn::set_training(*net, false);
  const NoGradGuard no_grad;
  const std::vector<float> logits = net->forward(batch.x).to_vector<float>();
  const std::vector<int64_t> target = batch.target.to_vector<int64_t>();
  for (size_t n = 0; n < target.size(); ++n) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(n * 5);
    EXPECT_EQ(std::max_element(row, row + 5) - row, target[n]) << "image " << n;
  }
}

TEST(Training, AllocatesNothingAfterTheFirstStep) {
  Generator generator(0);
  const auto net = make_model("resnet18", 5, generator);
  nn::to(*net, Device::cpu(), Layout::nhwc);
  nn::Adam optimizer({{.parameters = nn::parameters(*net), .learning_rate = 1e-3}});
  const Images batch = images(0, 4, 64, 5);
  step(*net, optimizer, batch);
  const AllocatorStats first = allocator_of(Device::cpu())->stats();
  for (int i = 0; i < 4; ++i) step(*net, optimizer, batch);
  const AllocatorStats last = allocator_of(Device::cpu())->stats();
  EXPECT_EQ(last.device_allocations, first.device_allocations);
  EXPECT_EQ(last.held_bytes, first.held_bytes);
}

}  // namespace
}  // namespace burin::models
