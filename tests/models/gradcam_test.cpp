// Grad-CAM against maps computed in PyTorch (tests/golden/pytorch/make_gradcam.py).
#include "burin/models/gradcam.h"

#include <gtest/gtest.h>

#include "burin/models/catalog.h"
#include "burin/models/fold.h"
#include "burin/models/resnet.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/files/weight_file.h"
#include "burin/tensor/ops/copy.h"
#include "support/expect_error.h"
#include "support/test_data.h"

namespace burin::models {
namespace {

Tensor read(const WeightFile& file, const std::string& name) {
  const WeightEntry* const entry = file.find(name);
  check(entry != nullptr, file.path(), ": no ", name);
  Tensor t = empty(entry->shape, {entry->type == ElementType::i64 ? DType::i64 : DType::f32});
  file.read(*entry, t.writable());
  return t;
}

/// A small ResNet with PyTorch's weights and input.
class GradCamGolden : public testing::Test {
 protected:
  GradCamGolden()
      : net({.widths = {8, 12, 16, 20}, .depths = {2, 2, 2, 2}, .classes = 5}, generator) {
    const WeightFile file(testing_support::golden("pytorch/resnet_basic_small.safetensors"));
    std::vector<nn::NamedTensor> weights;
    for (const WeightEntry& entry : file.entries()) {
      if (entry.name.starts_with("weights/"))
        weights.push_back({entry.name.substr(8), read(file, entry.name)});
    }
    EXPECT_EQ(nn::load_state(net, weights).to_string(), "");
    nn::to(net, Device::cpu(), Layout::nhwc);
    nn::set_training(net, false);
    nn::set_requires_grad(net, false);
    input = to_layout(read(file, "input"), Layout::nhwc);
  }

  std::vector<float> expected(const std::string& name) const {
    return read(maps, "resnet_basic_small/" + name).to_vector<float>();
  }
  static void expect_near(const std::vector<float>& actual, const float* expected) {
    for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2e-5) << i;
  }

  Generator generator{0};
  ResNet net;
  WeightFile maps{testing_support::golden("pytorch/gradcam.safetensors")};
  Tensor input;
};

TEST_F(GradCamGolden, ExplainsThePredictedClassAtTheLastStage) {
  const std::vector<GradCam> cams = grad_cam(net, input);
  const std::vector<float> map = expected("map");
  const std::vector<float> stretched = expected("stretched");
  ASSERT_EQ(cams.size(), 3u);
  for (size_t n = 0; n < cams.size(); ++n) {
    EXPECT_EQ(cams[n].layer, "layer4");
    EXPECT_EQ(cams[n].probabilities.size(), 5u);
    expect_near(cams[n].map, map.data() + n * cams[n].map.size());
    expect_near(cams[n].stretched(64, 64), stretched.data() + n * 64 * 64);
  }
}

TEST_F(GradCamGolden, AnyTappedLayerAndClassAlsoWithFoldedNorms) {
  const std::vector<float> map = expected("layer2/2");
  for (const bool folded : {false, true}) {
    if (folded) fold_batch_norm(net);
    const std::vector<GradCam> cams = grad_cam(net, input, {.layer = "layer2", .target = 2});
    for (size_t n = 0; n < cams.size(); ++n) {
      EXPECT_EQ(cams[n].target, 2);
      expect_near(cams[n].map, map.data() + n * cams[n].map.size());
    }
  }
}

TEST_F(GradCamGolden, SaysWhatThereIsInstead) {
  expect_error([&] { grad_cam(net, input, {.layer = "layer5"}); },
               "there is no layer 'layer5'; the model taps layer1, layer2, layer3, layer4");
  expect_error([&] { grad_cam(net, input, {.target = 5}); }, "class 5 of 5");
  nn::set_requires_grad(net, true);
  expect_error([&] { grad_cam(net, input); }, "wants a gradient");
}

// 32 pixels end as 1x1 in layer4: the last layer that still has a place is taken.
TEST(GradCam, TakesTheLastLayerWithAPlace) {
  Generator generator(0);
  const std::unique_ptr<Model> model = make_model("resnet18", 2, generator);
  nn::set_training(*model, false);
  nn::set_requires_grad(*model, false);
  EXPECT_EQ(grad_cam(*model, zeros({1, 3, 32, 32})).front().layer, "layer3");
}

TEST(GradCam, FindsALayerInEveryArchitecture) {
  Generator generator(0);
  for (const CatalogEntry& entry : catalog()) {
    if (entry.name.find("base") != std::string::npos) continue;  // as their small siblings, slowly
    const std::unique_ptr<Model> model = make_model(entry.name, 3, generator);
    nn::set_training(*model, false);
    nn::set_requires_grad(*model, false);
    const Tensor x = full({1, 3, entry.input_size, entry.input_size}, 0.5);
    const GradCam cam = grad_cam(*model, x).front();
    EXPECT_GT(cam.height * cam.width, 1) << entry.name;
    EXPECT_EQ(cam.map.size(), static_cast<size_t>(cam.height * cam.width)) << entry.name;
  }
}

}  // namespace
}  // namespace burin::models
