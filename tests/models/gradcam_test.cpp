// Grad-CAM against maps computed in PyTorch (tests/golden/pytorch/make_gradcam.py).
#include "burin/models/gradcam.h"

#include <gtest/gtest.h>

#include "burin/models/catalog.h"
#include "burin/models/convnext_v2.h"
#include "burin/models/fold.h"
#include "burin/models/resnet.h"
#include "burin/models/vit.h"
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

std::unique_ptr<Model> small_resnet(Generator& generator) {
  return std::make_unique<ResNet>(
      ResNetOptions{.widths = {8, 12, 16, 20}, .depths = {2, 2, 2, 2}, .classes = 5}, generator);
}
std::unique_ptr<Model> small_vit(Generator& generator) {
  return std::make_unique<VisionTransformer>(
      VitOptions{.image = 32, .patch = 8, .width = 48, .depth = 3, .heads = 4, .classes = 5},
      generator);
}
std::unique_ptr<Model> small_convnext(Generator& generator) {
  return std::make_unique<ConvNextV2>(
      ConvNextOptions{.widths = {8, 16, 24, 32}, .depths = {1, 1, 2, 1}, .classes = 5}, generator);
}

struct SmallModel {
  const char* file;
  std::unique_ptr<Model> (*make)(Generator& generator);
  const char* chosen;  // the layer that is taken by itself
  const char* other;
};

/// A small model with PyTorch's weights and input.
class GradCamGolden : public testing::TestWithParam<SmallModel> {
 protected:
  GradCamGolden() : net(GetParam().make(generator)) {
    const WeightFile file(
        testing_support::golden(str("pytorch/", GetParam().file, ".safetensors")));
    std::vector<nn::NamedTensor> weights;
    for (const WeightEntry& entry : file.entries()) {
      if (entry.name.starts_with("weights/"))
        weights.push_back({entry.name.substr(8), read(file, entry.name)});
    }
    EXPECT_EQ(nn::load_state(*net, weights).to_string(), "");
    nn::to(*net, Device::cpu(), Layout::nhwc);
    nn::set_training(*net, false);
    nn::set_requires_grad(*net, false);
    input = to_layout(read(file, "input"), Layout::nhwc);
  }

  std::vector<float> expected(const std::string& name) const {
    return read(maps, str(GetParam().file, '/', name)).to_vector<float>();
  }
  /// A map spans 0 to 1 whatever the gradients' size: where they are small, so are their digits.
  static void expect_near(const std::vector<float>& actual, const float* expected) {
    for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 5e-5) << i;
  }

  Generator generator{0};
  std::unique_ptr<Model> net;
  WeightFile maps{testing_support::golden("pytorch/gradcam.safetensors")};
  Tensor input;
};

TEST_P(GradCamGolden, ExplainsThePredictedClassAtALayerOfItsChoice) {
  const std::vector<GradCam> cams = grad_cam(*net, input);
  const std::vector<float> map = expected("map");
  const std::vector<float> stretched = expected("stretched");
  const int64_t side = input.dim(2);
  ASSERT_EQ(cams.size(), 3u);
  for (size_t n = 0; n < cams.size(); ++n) {
    EXPECT_EQ(cams[n].layer, GetParam().chosen);
    EXPECT_EQ(cams[n].probabilities.size(), 5u);
    expect_near(cams[n].map, map.data() + n * cams[n].map.size());
    expect_near(cams[n].stretched(side, side),
                stretched.data() + n * static_cast<size_t>(side * side));
  }
}

TEST_P(GradCamGolden, AnyTappedLayerAndClassAlsoWithFoldedNorms) {
  const std::vector<float> map = expected(str(GetParam().other, "/2"));
  for (const bool folded : {false, true}) {
    if (folded) fold_batch_norm(*net);
    const std::vector<GradCam> cams =
        grad_cam(*net, input, {.layer = GetParam().other, .target = 2});
    for (size_t n = 0; n < cams.size(); ++n) {
      EXPECT_EQ(cams[n].target, 2);
      expect_near(cams[n].map, map.data() + n * cams[n].map.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, GradCamGolden,
    testing::Values(SmallModel{"resnet_basic_small", small_resnet, "layer4", "layer2"},
                    SmallModel{"vit_small", small_vit, "blocks.2.norm1", "blocks.1.norm1"},
                    SmallModel{"convnext_v2_small", small_convnext, "stages.3", "stages.2"}),
    [](const auto& test) { return std::string(test.param.file); });

TEST(GradCam, SaysWhatThereIsInstead) {
  Generator generator(0);
  const std::unique_ptr<Model> net = small_resnet(generator);
  const Tensor input = zeros({1, 3, 64, 64});
  expect_error([&] { grad_cam(*net, input); }, "wants a gradient");
  nn::set_training(*net, false);
  nn::set_requires_grad(*net, false);
  expect_error([&] { grad_cam(*net, input, {.layer = "layer5"}); },
               "there is no layer 'layer5'; the model taps layer1, layer2, layer3, layer4");
  expect_error([&] { grad_cam(*net, input, {.target = 5}); }, "class 5 of 5");
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
    // These take seconds to make, and their small siblings are tested.
    const bool convnext = entry.name.starts_with("convnextv2") && entry.name != "convnextv2_atto";
    if (convnext || entry.name.starts_with("vit")) continue;
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
