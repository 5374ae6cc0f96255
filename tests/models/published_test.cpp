// Real published weights on real images, where the test data is there.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "burin/models/catalog.h"
#include "burin/models/fold.h"
#include "burin/models/load_weights.h"
#include "burin/nn/tap.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/normalize_u8.h"
#include "support/npy.h"
#include "support/test_data.h"

namespace burin::models {
namespace {

using testing_support::Npy;
using testing_support::test_data;

Tensor three(const std::array<float, 3>& values) {
  return Tensor::from(std::span<const float>(values), {3});
}

int64_t argmax(const float* row, int64_t count) {
  return std::max_element(row, row + count) - row;
}

struct CifarCase {
  const char* model;
  const char* weights;
  const char* logits;
  int right;
};

class CifarResNets : public testing::TestWithParam<CifarCase> {};

TEST_P(CifarResNets, GetExactlyThePublishedNumberRight) {
  const auto images = test_data("cifar10/test-2000.bin");
  const auto weights = test_data(str("weights/", GetParam().weights));
  const auto logits = test_data(str("cifar10/", GetParam().logits));
  if (!images || !weights || !logits) GTEST_SKIP() << "test data is absent: set BURIN_TEST_DATA";

  Generator generator(0);
  const auto model = make_model(GetParam().model, 10, generator);
  EXPECT_TRUE(load_weights(*model, *weights).entries.complete());
  fold_batch_norm(*model);

  constexpr int64_t count = 2000, record = 1 + 3 * 32 * 32, batch = 100;
  std::ifstream in(*images, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  ASSERT_EQ(bytes.size(), static_cast<size_t>(count * record));
  const Npy expected(*logits);

  const NoGradGuard no_grad;
  int right = 0;
  for (int64_t begin = 0; begin < count; begin += batch) {
    std::vector<uint8_t> pixels;
    for (int64_t i = begin; i < begin + batch; ++i) {
      const auto* const first = reinterpret_cast<const uint8_t*>(bytes.data()) + i * record + 1;
      pixels.insert(pixels.end(), first, first + record - 1);
    }
    const Tensor x = Tensor::from(pixels, {batch, 3, 32, 32}, {.dtype = DType::u8});
    const std::vector<float> y =
        model
            ->forward(normalize_u8(x, three(model->preprocess.mean), three(model->preprocess.std),
                                   DType::f32, Layout::nhwc))
            .to_vector<float>();
    for (int64_t i = 0; i < batch; ++i) {
      const float* const row = y.data() + i * 10;
      right +=
          argmax(row, 10) == static_cast<uint8_t>(bytes[static_cast<size_t>((begin + i) * record)])
              ? 1
              : 0;
      for (int64_t c = 0; c < 10; ++c) {
        ASSERT_NEAR(row[c], expected.values[static_cast<size_t>((begin + i) * 10 + c)], 2e-3);
      }
    }
  }
  EXPECT_EQ(right, GetParam().right);
}

INSTANTIATE_TEST_SUITE_P(Depths, CifarResNets,
                         testing::Values(CifarCase{"resnet20", "cifar10-resnet20-12fca82f.th",
                                                   "expected-logits-resnet20-test-2000.npy", 1820},
                                         CifarCase{"resnet56", "cifar10-resnet56-4bfd9763.th",
                                                   "expected-logits-resnet56-test-2000.npy", 1867}),
                         [](const auto& test) { return std::string(test.param.model); });

TEST(SqueezeNet, EqualsTheReferenceVectors) {
  const auto weights = test_data("weights/squeezenet1_1-imagenet.pth");
  if (!weights) GTEST_SKIP() << "test data is absent: set BURIN_TEST_DATA";
  Generator generator(0);
  const auto model = make_model("squeezenet1_1", 1000, generator);
  EXPECT_TRUE(load_weights(*model, *weights).entries.complete());
  nn::set_training(*model, false);
  const NoGradGuard no_grad;
  for (int i = 0; i < 3; ++i) {
    const Npy input(*test_data(str("weights/squeezenet1_1-test-vectors/", i, "/input_0.npy")));
    const Npy output(*test_data(str("weights/squeezenet1_1-test-vectors/", i, "/output_0.npy")));
    const Tensor x = Tensor::from(input.values, {1, 3, 224, 224}, {.layout = Layout::nhwc});
    const std::vector<float> y = model->forward(x).to_vector<float>();
    for (size_t c = 0; c < y.size(); ++c)
      ASSERT_NEAR(y[c], output.values[c], 1e-3) << i << ' ' << c;
  }
}

TEST(PreActResNet, TrunkEqualsTheReferenceVector) {
  const auto weights = test_data("weights/resnet50v2-imagenet-stages1to3.safetensors");
  if (!weights) GTEST_SKIP() << "test data is absent: set BURIN_TEST_DATA";
  Generator generator(0);
  const auto model = make_model("resnet50v2", 1000, generator);
  const WeightsReport report = load_weights(*model, *weights);
  EXPECT_EQ(report.entries.unexpected.size(), 0u) << report.entries.to_string();
  for (const std::string& name : report.entries.missing) {
    EXPECT_TRUE(name.starts_with("layer4.") || name.starts_with("bn2.") || name.starts_with("fc."))
        << name;
  }
  nn::set_training(*model, false);
  const NoGradGuard no_grad;
  Tensor stage3;
  const nn::ObserverGuard observer([&](std::string_view name, const Tensor& x) {
    if (name == "layer3") stage3 = x;
    return x;
  });
  const Npy input(*test_data("weights/resnet50v2-test-vector/input.npy"));
  const Npy output(*test_data("weights/resnet50v2-test-vector/stage3_output.npy"));
  model->features(Tensor::from(input.values, {1, 3, 224, 224}, {.layout = Layout::nhwc}));
  const std::vector<float> y = stage3.to_vector<float>();
  ASSERT_EQ(y.size(), output.values.size());
  for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], output.values[i], 1e-3) << i;
}

// The file has all of it but the classifier; the reference pools behind the last norm.
TEST(PreActResNet, ThreeStagesNeedNothingButAHead) {
  const auto weights = test_data("weights/resnet50v2-imagenet-stages1to3.safetensors");
  if (!weights) GTEST_SKIP() << "test data is absent: set BURIN_TEST_DATA";
  Generator generator(0);
  const auto model = make_model("resnet50v2_stages1to3", 2, generator);
  const nn::LoadReport entries = load_weights(*model, *weights).entries;
  EXPECT_EQ(entries.missing, (std::vector<std::string>{"fc.weight", "fc.bias"}));
  EXPECT_EQ(entries.unexpected.size() + entries.mismatched.size(), 0u) << entries.to_string();
  nn::set_training(*model, false);
  const NoGradGuard no_grad;
  const Npy input(*test_data("weights/resnet50v2-test-vector/input.npy"));
  const Npy pooled(*test_data("weights/resnet50v2-test-vector/stage3_bn_relu_pooled.npy"));
  const Tensor x = Tensor::from(input.values, {1, 3, 224, 224}, {.layout = Layout::nhwc});
  const std::vector<float> features = model->features(x).to_vector<float>();
  ASSERT_EQ(features.size(), 512 + pooled.values.size());
  for (size_t i = 0; i < pooled.values.size(); ++i)
    ASSERT_NEAR(features[512 + i], pooled.values[i], 1e-3) << i;
}

}  // namespace
}  // namespace burin::models
