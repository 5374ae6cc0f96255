#include "burin/models/catalog.h"

#include <algorithm>

#include "burin/models/cifar_resnet.h"
#include "burin/models/convnext_v2.h"
#include "burin/models/preact_resnet.h"
#include "burin/models/resnet.h"
#include "burin/models/squeezenet.h"
#include "burin/models/vit.h"

namespace burin::models {
namespace {

template <bool bottleneck, int64_t a, int64_t b, int64_t c, int64_t d>
std::unique_ptr<Model> make_resnet(int64_t classes, Generator& generator) {
  return std::make_unique<ResNet>(
      ResNetOptions{.bottleneck = bottleneck, .depths = {a, b, c, d}, .classes = classes},
      generator);
}

template <int64_t depth>
std::unique_ptr<Model> make_cifar_resnet(int64_t classes, Generator& generator) {
  return std::make_unique<CifarResNet>(depth, classes, generator);
}

template <int64_t stages>
std::unique_ptr<Model> make_preact_resnet(int64_t classes, Generator& generator) {
  return std::make_unique<PreActResNet>(PreActResNetOptions{.stages = stages, .classes = classes},
                                        generator);
}

std::unique_ptr<Model> make_vit(int64_t classes, Generator& generator) {
  return std::make_unique<VisionTransformer>(VitOptions{.classes = classes}, generator);
}

/// Widths double from stage to stage.
template <int64_t width, int64_t shallow, int64_t deep>
std::unique_ptr<Model> make_convnext(int64_t classes, Generator& generator) {
  return std::make_unique<ConvNextV2>(
      ConvNextOptions{.widths = {width, 2 * width, 4 * width, 8 * width},
                      .depths = {shallow, shallow, deep, shallow},
                      .classes = classes},
      generator);
}

}  // namespace

const std::vector<CatalogEntry>& catalog() {
  static const std::vector<CatalogEntry> entries = {
      {"resnet18", "ResNet-18, torchvision's wiring and names", 224,
       make_resnet<false, 2, 2, 2, 2>},
      {"resnet34", "ResNet-34, torchvision's wiring and names", 224,
       make_resnet<false, 3, 4, 6, 3>},
      {"resnet50", "ResNet-50 v1.5, torchvision's wiring and names", 224,
       make_resnet<true, 3, 4, 6, 3>},
      {"resnet50v2", "pre-activation ResNet-50, GluonCV's wiring", 224, make_preact_resnet<4>},
      {"resnet50v2_stages1to3", "its first three stages, with the features of stages 2 and 3", 224,
       make_preact_resnet<3>},
      {"squeezenet1_1", "SqueezeNet 1.1, torchvision's wiring and names", 224,
       [](int64_t classes, Generator& generator) -> std::unique_ptr<Model> {
         return std::make_unique<SqueezeNet>(classes, generator);
       }},
      {"vit_base_patch16_224", "Vision Transformer B/16, timm's wiring and names", 224, make_vit},
      {"convnextv2_atto", "ConvNeXt V2 Atto, timm's wiring and names", 224,
       make_convnext<40, 2, 6>},
      {"convnextv2_femto", "ConvNeXt V2 Femto", 224, make_convnext<48, 2, 6>},
      {"convnextv2_pico", "ConvNeXt V2 Pico", 224, make_convnext<64, 2, 6>},
      {"convnextv2_nano", "ConvNeXt V2 Nano", 224, make_convnext<80, 2, 8>},
      {"convnextv2_tiny", "ConvNeXt V2 Tiny", 224, make_convnext<96, 3, 9>},
      {"convnextv2_base", "ConvNeXt V2 Base", 224, make_convnext<128, 3, 27>},
      {"resnet20", "ResNet-20 for 32x32 images", 32, make_cifar_resnet<20>},
      {"resnet56", "ResNet-56 for 32x32 images", 32, make_cifar_resnet<56>},
  };
  return entries;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const CatalogEntry& entry : catalog()) names.push_back(entry.name);
  return names;
}

const CatalogEntry* find_model(std::string_view name) {
  const auto found = std::find_if(catalog().begin(), catalog().end(),
                                  [&](const CatalogEntry& entry) { return entry.name == name; });
  return found == catalog().end() ? nullptr : &*found;
}

std::unique_ptr<Model> make_model(const std::string& name, int64_t classes, Generator& generator) {
  const CatalogEntry* const entry = find_model(name);
  check(entry != nullptr, "there is no model '", name, "'; there are: ", listed(model_names()));
  std::unique_ptr<Model> model = entry->make(classes, generator);
  model->architecture = name;
  return model;
}

}  // namespace burin::models
