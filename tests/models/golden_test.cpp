// Small networks of every kind against PyTorch: logits, loss, every gradient, running statistics,
// Adam.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "burin/kernels/dispatch.h"
#include "burin/models/convnext_v2.h"
#include "burin/models/fold.h"
#include "burin/models/resnet.h"
#include "burin/models/vit.h"
#include "burin/nn/adam.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "support/golden.h"

namespace burin::models {
namespace {

using testing_support::Golden;

/// Largest difference, relative to the largest expected magnitude.
void expect_near(const Tensor& actual, const Tensor& expected, double tolerance,
                 const std::string& what) {
  const std::vector<float> a = actual.to_vector<float>();
  const std::vector<float> e = expected.to_vector<float>();
  ASSERT_EQ(a.size(), e.size()) << what;
  double scale = 1e-6;
  for (const float v : e) scale = std::max(scale, static_cast<double>(std::abs(v)));
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], e[i], tolerance * scale) << what << '[' << i << ']';
  }
}

struct GoldenCase {
  const char* file;
  std::unique_ptr<Model> (*make)(Generator& generator);
  Layout layout;
  const char* implementation;  // rules, as for --impl
  Device device = Device::cpu();
};

class NetworkGolden : public testing::TestWithParam<GoldenCase> {
 protected:
  NetworkGolden()
      : golden(GetParam().file),
        rules(GetParam().implementation),
        model(GetParam().make(generator)),
        net(*model) {}

  void SetUp() override {
    const Device device = GetParam().device;
    if (registry().device(device.kind) == nullptr) GTEST_SKIP() << "no " << device << " was built";
    nn::to(net, device, GetParam().layout);
    const nn::LoadReport report = nn::load_state(net, golden.group("weights/"));
    EXPECT_EQ(report.to_string(), "");
    input = to_layout(to_device(golden.tensor("input"), device), GetParam().layout);
    target = to_device(golden.tensor("target"), device);
  }

  Golden golden;
  ImplGuard rules;
  Generator generator{0};
  std::unique_ptr<Model> model;
  Model& net;
  Tensor input, target;
};

TEST_P(NetworkGolden, EvaluationLogits) {
  nn::set_training(net, false);
  const NoGradGuard no_grad;
  expect_near(net.forward(input), golden.tensor("logits_eval"), 2e-5, "logits_eval");
}

TEST_P(NetworkGolden, FoldedLogits) {
  fold_batch_norm(net);
  const NoGradGuard no_grad;
  expect_near(net.forward(input), golden.tensor("logits_eval"), 5e-5, "folded logits");
}

TEST_P(NetworkGolden, LossGradientsAndStatistics) {
  const Tensor logits = net.forward(input);
  expect_near(logits, golden.tensor("logits_train"), 5e-5, "logits_train");
  const Tensor loss = cross_entropy(logits, target);
  EXPECT_NEAR(loss.item(), golden.tensor("loss").item(), 2e-5);
  backward(loss);
  for (const nn::NamedTensor& p : nn::parameters(net)) {
    expect_near(p.tensor.grad(), golden.tensor("grad/" + p.name), 5e-4, "grad/" + p.name);
  }
  for (const nn::NamedTensor& b : nn::buffers(net)) {
    expect_near(b.tensor, golden.tensor("after/" + b.name), 2e-5, "after/" + b.name);
  }
}

// After the gradients above, five steps of Adam on the same batch: five more forwards in training
// mode.
TEST_P(NetworkGolden, AdamLosses) {
  backward(cross_entropy(net.forward(input), target));
  nn::Adam adam({{.parameters = nn::parameters(net), .learning_rate = 1e-3}});
  const std::vector<float> expected = golden.tensor("adam_losses").to_vector<float>();
  for (const float e : expected) {
    adam.zero_grad();
    const Tensor loss = cross_entropy(net.forward(input), target);
    EXPECT_NEAR(loss.item(), e, 1e-4);
    backward(loss);
    adam.step();
  }
}

std::unique_ptr<Model> basic(Generator& generator) {
  return std::make_unique<ResNet>(
      ResNetOptions{.widths = {8, 12, 16, 20}, .depths = {2, 2, 2, 2}, .classes = 5}, generator);
}

std::unique_ptr<Model> bottleneck(Generator& generator) {
  return std::make_unique<ResNet>(
      ResNetOptions{
          .bottleneck = true, .widths = {8, 8, 12, 12}, .depths = {1, 2, 1, 1}, .classes = 5},
      generator);
}

std::unique_ptr<Model> vit(Generator& generator) {
  return std::make_unique<VisionTransformer>(
      VitOptions{.image = 32, .patch = 8, .width = 48, .depth = 3, .heads = 4, .classes = 5},
      generator);
}

std::unique_ptr<Model> convnext(Generator& generator) {
  return std::make_unique<ConvNextV2>(
      ConvNextOptions{.widths = {8, 16, 24, 32}, .depths = {1, 1, 2, 1}, .classes = 5}, generator);
}

std::string name_of_test(const testing::TestParamInfo<GoldenCase>& test) {
  std::string name = str(test.param.file, '_', test.param.layout, '_', test.param.implementation);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name + std::to_string(test.index);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, NetworkGolden,
    testing::Values(GoldenCase{"resnet_basic_small", basic, Layout::nhwc, ""},
                    GoldenCase{"resnet_basic_small", basic, Layout::nchw, ""},
                    GoldenCase{"resnet_basic_small", basic, Layout::nhwc, "cpu"},
                    GoldenCase{"resnet_basic_small", basic, Layout::nhwc, "conv2d=cpu/direct"},
                    GoldenCase{"resnet_bottleneck_small", bottleneck, Layout::nhwc, ""},
                    GoldenCase{"resnet_bottleneck_small", bottleneck, Layout::nchw, "cpu"},
                    GoldenCase{"vit_small", vit, Layout::nhwc, ""},
                    GoldenCase{"vit_small", vit, Layout::nchw, "cpu"},
                    GoldenCase{"vit_small", vit, Layout::nhwc, "attention=cpu/naive"},
                    GoldenCase{"convnext_v2_small", convnext, Layout::nhwc, ""},
                    GoldenCase{"convnext_v2_small", convnext, Layout::nchw, ""},
                    GoldenCase{"convnext_v2_small", convnext, Layout::nhwc, "cpu"}),
    name_of_test);

std::vector<GoldenCase> cases_on(Device device) {
  return {{"resnet_basic_small", basic, Layout::nhwc, "", device},
          {"resnet_bottleneck_small", bottleneck, Layout::nchw, "", device},
          {"vit_small", vit, Layout::nhwc, "", device},
          {"convnext_v2_small", convnext, Layout::nhwc, "", device}};
}

// The handwritten CUDA kernels, whole networks of them.
INSTANTIATE_TEST_SUITE_P(SlowOnEmulator, NetworkGolden,
                         testing::ValuesIn(cases_on(Device::emulator())), name_of_test);
INSTANTIATE_TEST_SUITE_P(SlowOnGpu, NetworkGolden, testing::ValuesIn(cases_on(Device::cuda())),
                         name_of_test);

}  // namespace
}  // namespace burin::models
