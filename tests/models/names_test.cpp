// State-dict names, shapes and dtypes against the published ones.
#include <gtest/gtest.h>

#include "burin/models/catalog.h"
#include "burin/models/convnext_v2.h"
#include "burin/models/preact_resnet.h"
#include "burin/models/vit.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::models {
namespace {

using testing_support::read_whole;
using testing_support::source_folder;

/// The model's state in the format of names_<model>.json.
std::string names_of(Model& model) {
  std::string text = "[";
  for (const nn::NamedTensor& entry : nn::state(model)) {
    std::string shape;
    for (const int64_t extent : entry.tensor.shape())
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    const char* const dtype = entry.tensor.dtype() == DType::i64 ? "int64" : "float32";
    text += str(text == "[" ? "" : ",\n", "[\"", entry.name, "\",[", shape, "],\"", dtype, "\"]");
  }
  return text + "]\n";
}

class Names : public testing::TestWithParam<const char*> {};

TEST_P(Names, EqualThePublishedStateDict) {
  Generator generator(0);
  const auto model = make_model(GetParam(), 1000, generator);
  const auto path = source_folder() / "tests/golden/pytorch" / str("names_", GetParam(), ".json");
  EXPECT_EQ(names_of(*model), read_whole(path.string()));
}

INSTANTIATE_TEST_SUITE_P(Models, Names,
                         testing::Values("resnet18", "resnet50", "vit_base_patch16_224",
                                         "convnextv2_tiny", "convnextv2_base"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Catalog, ParameterCountsAreThePublishedOnes) {
  const std::pair<const char*, int64_t> published[] = {
      {"resnet18", 11'689'512},       {"resnet34", 21'797'672},
      {"resnet50", 25'557'032},       {"squeezenet1_1", 1'235'496},
      {"convnextv2_atto", 3'708'400}, {"convnextv2_femto", 5'233'240},
      {"convnextv2_pico", 9'066'280}, {"convnextv2_nano", 15'623'800}};
  for (const auto& [name, count] : published) {
    Generator generator(0);
    EXPECT_EQ(nn::parameter_count(*make_model(name, 1000, generator)), count) << name;
  }
  Generator generator(0);
  EXPECT_EQ(nn::parameter_count(*make_model("resnet20", 10, generator)), 269'722);
  EXPECT_EQ(nn::parameter_count(*make_model("resnet56", 10, generator)), 853'018);
}

TEST(Catalog, FindsAModelByItsName) {
  EXPECT_EQ(find_model("resnet20")->input_size, 32);
  EXPECT_EQ(find_model("resnet2"), nullptr);
  Generator generator(0);
  EXPECT_EQ(make_model("resnet20", 10, generator)->architecture, "resnet20");
  expect_error([&] { make_model("resnet2", 10, generator); },
               "there is no model 'resnet2'; there are: resnet18, resnet34");
}

TEST(PreActResNet, TranslatesGluonsNames) {
  EXPECT_EQ(preact_resnet_name("resnetv24_batchnorm0_gamma"), "bn0.weight");
  EXPECT_EQ(preact_resnet_name("resnetv24_batchnorm1_running_var"), "bn1.running_var");
  EXPECT_EQ(preact_resnet_name("resnetv24_conv0_weight"), "conv1.weight");
  EXPECT_EQ(preact_resnet_name("resnetv24_stage1_conv3_weight"), "layer1.0.downsample.weight");
  EXPECT_EQ(preact_resnet_name("resnetv24_stage1_conv4_weight"), "layer1.1.conv1.weight");
  EXPECT_EQ(preact_resnet_name("resnetv24_stage3_batchnorm10_beta"), "layer3.3.bn2.bias");
  EXPECT_EQ(preact_resnet_name("layer1.0.bn1.weight"), "");
}

// So that a file of either fits the other as far as it goes.
TEST(PreActResNet, ThreeStagesAreNamedAsTheWhole) {
  Generator generator(0);
  std::vector<std::string> of_the_whole, of_three;
  for (const nn::NamedTensor& entry : nn::state(*make_model("resnet50v2", 1000, generator))) {
    const std::string& name = entry.name;
    const bool beyond = name.starts_with("layer4.") && !name.starts_with("layer4.0.bn1.");
    if (beyond || name.starts_with("bn2.") || name.starts_with("fc.")) continue;
    of_the_whole.push_back(str(name, ' ', entry.tensor.shape()));
  }
  const auto model = make_model("resnet50v2_stages1to3", 2, generator);
  for (const nn::NamedTensor& entry : nn::state(*model)) {
    if (entry.name.starts_with("fc.")) continue;
    of_three.push_back(str(entry.name, ' ', entry.tensor.shape()));
  }
  EXPECT_EQ(of_three, of_the_whole);
  EXPECT_EQ(model->feature_count(), 512 + 1024);
  const Tensor odd = zeros({2, 3, 72, 56}, {.layout = Layout::nhwc});
  EXPECT_EQ(model->features(odd).shape(), (Shape{2, 1536}));
  model->set_head("fastai", generator, generator);
  EXPECT_EQ(model->forward(odd).shape(), (Shape{2, 2}));
}

TEST(VisionTransformer, TranslatesTorchvisionsNames) {
  EXPECT_EQ(vit_name("class_token"), "cls_token");
  EXPECT_EQ(vit_name("conv_proj.weight"), "patch_embed.proj.weight");
  EXPECT_EQ(vit_name("encoder.pos_embedding"), "pos_embed");
  EXPECT_EQ(vit_name("encoder.layers.encoder_layer_11.ln_1.bias"), "blocks.11.norm1.bias");
  EXPECT_EQ(vit_name("encoder.layers.encoder_layer_3.self_attention.in_proj_weight"),
            "blocks.3.attn.qkv.weight");
  EXPECT_EQ(vit_name("encoder.layers.encoder_layer_3.self_attention.out_proj.bias"),
            "blocks.3.attn.proj.bias");
  EXPECT_EQ(vit_name("encoder.layers.encoder_layer_0.mlp.linear_1.weight"),
            "blocks.0.mlp.fc1.weight");
  EXPECT_EQ(vit_name("encoder.layers.encoder_layer_0.mlp.3.bias"), "blocks.0.mlp.fc2.bias");
  EXPECT_EQ(vit_name("encoder.ln.weight"), "norm.weight");
  EXPECT_EQ(vit_name("heads.head.bias"), "head.bias");
  EXPECT_EQ(vit_name("blocks.0.norm1.weight"), "");
}

TEST(ConvNextV2, TranslatesTheOriginalNames) {
  EXPECT_EQ(convnext_name("downsample_layers.0.0.weight"), "stem.0.weight");
  EXPECT_EQ(convnext_name("downsample_layers.2.1.bias"), "stages.2.downsample.1.bias");
  EXPECT_EQ(convnext_name("stages.0.1.dwconv.weight"), "stages.0.blocks.1.conv_dw.weight");
  EXPECT_EQ(convnext_name("stages.2.8.pwconv2.bias"), "stages.2.blocks.8.mlp.fc2.bias");
  EXPECT_EQ(convnext_name("stages.3.0.grn.gamma"), "stages.3.blocks.0.mlp.grn.weight");
  EXPECT_EQ(convnext_name("stages.3.0.grn.beta"), "stages.3.blocks.0.mlp.grn.bias");
  EXPECT_EQ(convnext_name("stages.1.2.norm.bias"), "stages.1.blocks.2.norm.bias");
  EXPECT_EQ(convnext_name("norm.weight"), "head.norm.weight");
  EXPECT_EQ(convnext_name("head.bias"), "head.fc.bias");
  EXPECT_EQ(convnext_name("stages.0.blocks.1.conv_dw.weight"), "");
}

// Expected values: torch 1.13, interpolate(mode="bicubic", antialias=True) of the image that counts
// 0 … 15, to 3 and to 6 rows and columns, first row of each.
TEST(VisionTransformer, ResizesThePositionEmbeddingAsTimm) {
  std::vector<float> values = {100};
  for (int i = 0; i < 16; ++i) values.push_back(static_cast<float>(i));
  const Tensor embed = Tensor::from(values, {1, 17, 1});
  const std::vector<float> smaller = resize_position_embedding(embed, 3, 3).to_vector<float>();
  const std::vector<float> larger = resize_position_embedding(embed, 6, 6).to_vector<float>();
  ASSERT_EQ(smaller.size(), 10u);
  ASSERT_EQ(larger.size(), 37u);
  EXPECT_EQ(smaller[0], 100);
  const std::vector<float> expected_smaller = {0.949657f, 2.259725f, 3.569794f};
  const std::vector<float> expected_larger = {-0.328947f, 0.148607f, 0.903509f,
                                              1.570176f,  2.325078f, 2.802633f};
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(smaller[1 + i], expected_smaller[i], 1e-5);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(larger[1 + i], expected_larger[i], 1e-5);
  EXPECT_TRUE(resize_position_embedding(embed, 4, 4).is_same(embed));
}

// torchvision's and the original release's files load whole, under every name.
TEST(Adopt, TakesFilesOfOtherPublishers) {
  Generator generator(0);
  VisionTransformer vit({.image = 32, .patch = 8, .width = 48, .depth = 1, .heads = 4}, generator);
  const auto source = [](const std::string& name, const Shape& shape) {
    return nn::NamedSource{name, shape, [shape] { return zeros(shape); }};
  };
  std::vector<nn::NamedSource> theirs = {source("encoder.pos_embedding", {1, 10, 48}),
                                         source("heads.head.weight", {1000, 48})};
  EXPECT_EQ(vit.adopt(theirs),
            "torchvision's names were translated; the position embedding was "
            "resized from 9 to 16 patches");
  EXPECT_EQ(theirs[0].name, "pos_embed");
  EXPECT_EQ(theirs[0].shape, (Shape{1, 17, 48}));
  EXPECT_EQ(theirs[0].read().shape(), theirs[0].shape);
  EXPECT_EQ(vit.preprocess.mean[0], 0.485f);

  ConvNextV2 convnext({.widths = {8, 16, 24, 32}, .depths = {1, 1, 1, 1}}, generator);
  theirs = {source("stages.0.0.grn.gamma", {1, 1, 1, 32}),
            source("stages.0.blocks.0.mlp.fc1.weight", {32, 8, 1, 1})};
  EXPECT_EQ(convnext.adopt(theirs), "the original release's names were translated");
  EXPECT_EQ(theirs[0].read().shape(), (Shape{32}));
  EXPECT_EQ(theirs[1].read().shape(), (Shape{32, 8}));
}

TEST(Head, IsNamedByPlaceAndRefusesASoftmax) {
  Generator generator(0);
  const auto model = make_model("resnet18", 2, generator);
  model->set_head("256,relu,drop0.3", generator, generator);
  std::vector<std::string> names;
  for (const nn::NamedTensor& p : nn::parameters(*model)) {
    if (p.name.starts_with("fc.")) names.push_back(str(p.name, ' ', p.tensor.shape()));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"fc.0.weight [256, 512]", "fc.0.bias [256]",
                                             "fc.3.weight [2, 256]", "fc.3.bias [2]"}));
  expect_error([&] { model->set_head("256,softmax", generator, generator); },
               "the loss takes logits");
  expect_error([&] { model->set_head("256,relo", generator, generator); }, "'relo' is none of");
}

// vision_learner(resnet18): nn.Sequential(body, head), the head's entries as create_head makes
// them.
TEST(Head, IsFastais) {
  Generator generator(0);
  const auto model = make_model("resnet18", 2, generator);
  model->set_head("fastai", generator, generator);
  std::vector<std::string> names;
  for (const nn::NamedTensor& p : nn::state(*model)) {
    if (p.name.starts_with("fc.")) names.push_back(str(p.name.substr(3), ' ', p.tensor.shape()));
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "2.weight [1024]", "2.bias [1024]", "2.running_mean [1024]",
                       "2.running_var [1024]", "2.num_batches_tracked []", "4.weight [512, 1024]",
                       "6.weight [512]", "6.bias [512]", "6.running_mean [512]",
                       "6.running_var [512]", "6.num_batches_tracked []", "8.weight [2, 512]"}));
  EXPECT_EQ(model->forward(zeros({3, 3, 64, 64}, {.layout = Layout::nhwc})).shape(), (Shape{3, 2}));
  Generator other(0);
  const auto vit = make_model("vit_base_patch16_224", 2, other);
  vit->set_head("fastai", other, other);
  expect_error([&] { vit->forward(zeros({1, 3, 16, 16})); }, "no features in space");
}

}  // namespace
}  // namespace burin::models
