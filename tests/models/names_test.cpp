// State-dict names, shapes and dtypes against the published ones.
#include <gtest/gtest.h>

#include "burin/models/catalog.h"
#include "burin/models/preact_resnet.h"
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

INSTANTIATE_TEST_SUITE_P(Models, Names, testing::Values("resnet18", "resnet50"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Catalog, ParameterCountsAreThePublishedOnes) {
  const std::pair<const char*, int64_t> published[] = {{"resnet18", 11'689'512},
                                                       {"resnet34", 21'797'672},
                                                       {"resnet50", 25'557'032},
                                                       {"squeezenet1_1", 1'235'496}};
  for (const auto& [name, count] : published) {
    Generator generator(0);
    EXPECT_EQ(nn::parameter_count(*make_model(name, 1000, generator)), count) << name;
  }
  Generator generator(0);
  EXPECT_EQ(nn::parameter_count(*make_model("resnet20", 10, generator)), 269'722);
  EXPECT_EQ(nn::parameter_count(*make_model("resnet56", 10, generator)), 853'018);
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

}  // namespace
}  // namespace burin::models
