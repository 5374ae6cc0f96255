// A device that is full.
#include <gtest/gtest.h>

#include <cmath>

#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/nn/adam.h"
#include "burin/nn/linear.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/random.h"

namespace burin {
namespace {

constexpr int64_t features = 16;

/// Logistic regression of zeros.
class Training {
 public:
  explicit Training(Device device)
      : device_(device), generator_(7, device), layer_(features, features, true, generator_) {
    nn::ParameterGroup group;
    for (nn::NamedTensor& p : nn::parameters(layer_)) group.parameters.push_back(std::move(p));
    optimizer_ = std::make_unique<nn::Adam>(std::vector<nn::ParameterGroup>{group});
  }

  float step(int64_t batch) {
    optimizer_->zero_grad();
    const Tensor x = zeros({batch, features}, {DType::f32, device_});
    const Tensor labels = zeros({batch}, {DType::i64, device_});
    const Tensor loss = cross_entropy(layer_.forward(x), labels, {});
    backward(loss);
    optimizer_->step();
    return loss.to_vector<float>().front();
  }

 private:
  Device device_;
  Generator generator_;
  nn::Linear layer_;
  std::unique_ptr<nn::Adam> optimizer_;
};

class DeviceMemory : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    if (registry().device(GetParam()) == nullptr) {
      GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    }
  }
  Device device() const { return {GetParam(), 0}; }
};

TEST_P(DeviceMemory, WhenItIsFullTrainingGoesOnWithASmallerBatch) {
  // A GPU is filled; elsewhere a cap stands for its size.
  const bool is_gpu = GetParam() == DeviceKind::cuda;
  const int64_t piece = int64_t{4} << (is_gpu ? 30 : 20);
  const auto allocator = allocator_of(device());
  Training training(device());
  training.step(100);
  const size_t in_use = allocator->stats().in_use_bytes;
  if (!is_gpu) allocator->set_cap(allocator->stats().held_bytes + static_cast<size_t>(6 * piece));

  std::vector<Tensor> held;
  const auto fill = [&] {
    for (;;) held.push_back(empty({piece / 4}, {DType::f32, device()}));
  };
  EXPECT_THROW(fill(), OutOfMemory);
  ASSERT_GE(held.size(), 3u);
  held.resize(held.size() - 2);

  // Two pieces are free, and less than a third. The images take one, and so do their logits and the
  // gradient of these.
  const int64_t batch = piece / (features * 4);
  EXPECT_THROW(training.step(batch), OutOfMemory);
  const float loss = training.step(batch / 16);
  EXPECT_LT(training.step(batch / 16), loss);

  held.clear();
  EXPECT_TRUE(std::isfinite(training.step(batch)));
  EXPECT_EQ(allocator->stats().in_use_bytes, in_use);
  allocator->set_cap(0);
  allocator->release_cached();
}

TEST_P(DeviceMemory, ASmallTensorKeepsNoLargeSegment) {
  CachingAllocator& allocator = *allocator_of(device());
  allocator.release_cached();
  const size_t before = allocator.stats().held_bytes;
  { const Tensor large = empty({int64_t{64} << 20}, {DType::u8, device()}); }
  const Tensor small = empty({1}, {DType::f32, device()});
  allocator.release_cached();
  EXPECT_LE(allocator.stats().held_bytes, before + (2 << 20));

  // But it is served from one before it is refused.
  Tensor half = empty({int64_t{64} << 20}, {DType::u8, device()});
  half = Tensor();
  half = empty({int64_t{32} << 20}, {DType::u8, device()});
  allocator.set_cap(allocator.stats().held_bytes);
  std::vector<Tensor> many;
  for (int i = 0; i < 4; ++i) many.push_back(empty({1 << 20}, {DType::u8, device()}));
  allocator.set_cap(0);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceMemory,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace burin
