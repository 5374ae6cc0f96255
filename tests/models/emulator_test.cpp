// A network trained on the emulated device: the handwritten CUDA kernels from the first convolution
// to Adam.
#include <gtest/gtest.h>

#include "burin/kernels/registry.h"
#include "burin/models/resnet.h"
#include "burin/nn/adam.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/random.h"

namespace burin::models {
namespace {

/// Losses of a few steps of Adam on one batch of noise, from the same weights on every device.
std::vector<double> losses(Device device, DType dtype, int steps) {
  Generator generator(1);
  ResNet net({.widths = {8, 16, 16, 24}, .depths = {1, 1, 1, 1}, .classes = 4}, generator);
  Tensor images = empty({8, 3, 32, 32}, {.layout = Layout::nhwc});
  normal_(images, 0, 1, generator);
  nn::to(net, device, Layout::nhwc);
  const Tensor x = cast(to_device(images, device), dtype);
  const Tensor target = to_device(
      Tensor::from(std::vector<int64_t>{0, 1, 2, 3, 3, 2, 1, 0}, {8}, {DType::i64}), device);
  nn::Adam adam({{.parameters = nn::parameters(net), .learning_rate = 3e-3}});
  std::vector<double> result;
  for (int step = 0; step < steps; ++step) {
    adam.zero_grad();
    const Tensor loss = cross_entropy(net.forward(x), target);
    backward(loss);
    adam.step();
    result.push_back(loss.item());
  }
  return result;
}

class SlowEmulatedTraining : public testing::Test {
 protected:
  void SetUp() override {
    if (registry().device(DeviceKind::emulator) == nullptr) GTEST_SKIP() << "no emulator was built";
  }
};

TEST_F(SlowEmulatedTraining, FollowsTheCpuInF32) {
  const std::vector<double> expected = losses(Device::cpu(), DType::f32, 4);
  const std::vector<double> actual = losses(Device::emulator(), DType::f32, 4);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-3) << i;
}

TEST_F(SlowEmulatedTraining, LearnsABatchInBf16OnTensorCores) {
  const std::vector<double> actual = losses(Device::emulator(), DType::bf16, 8);
  EXPECT_LT(actual.back(), 0.5 * actual.front());
}

}  // namespace
}  // namespace burin::models
