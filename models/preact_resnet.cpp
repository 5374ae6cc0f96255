#include "burin/models/preact_resnet.h"

#include <regex>

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"

namespace burin::models {
namespace {

constexpr std::array<int64_t, 4> widths = {64, 128, 256, 512};
constexpr std::array<int64_t, 4> depths = {3, 4, 6, 3};

int64_t channels_behind(size_t stages) {
  return PreActBottleneck::expansion * widths[stages - 1];
}

}  // namespace

PreActBottleneck::PreActBottleneck(int64_t in, int64_t width, int64_t stride, bool projected,
                                   Generator& generator)
    : bn1(in, generator.state().device()),
      bn2(width, generator.state().device()),
      bn3(width, generator.state().device()),
      conv1(conv_without_bias(in, width, 1), generator),
      conv2(conv_without_bias(width, width, 3, stride), generator),
      conv3(conv_without_bias(width, expansion * width, 1), generator) {
  if (projected) {
    downsample = std::make_unique<nn::Conv2d>(conv_without_bias(in, expansion * width, 1, stride),
                                              generator);
  }
}

Tensor PreActBottleneck::forward(const Tensor& x, const Tensor& activated) {
  const Tensor identity = downsample ? downsample->forward(activated) : x;
  Tensor y = conv_norm(conv1, bn2, activated, {.relu = true});
  y = conv_norm(conv2, bn3, y, {.relu = true});
  return conv3.forward(y) + identity;
}

void PreActBottleneck::visit(nn::Visitor& v) {
  v.child("bn1", bn1);
  v.child("conv1", conv1);
  v.child("bn2", bn2);
  v.child("conv2", conv2);
  v.child("bn3", bn3);
  v.child("conv3", conv3);
  if (downsample) v.child("downsample", *downsample);
}

PreActResNet::PreActResNet(const PreActResNetOptions& options, Generator& generator)
    : bn0(3, generator.state().device()),
      conv1(conv_without_bias(3, 64, 7, 2), generator),
      bn1(64, generator.state().device()),
      layers(static_cast<size_t>(options.stages)),
      bn2(channels_behind(layers.size()), generator.state().device()) {
  int64_t channels = 64;
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    for (int64_t i = 0; i < depths[stage]; ++i) {
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      layers[stage].push_back(
          std::make_unique<PreActBottleneck>(channels, widths[stage], stride, i == 0, generator));
      channels = channels_behind(stage + 1);
    }
  }
  replace_head(options.classes, generator);
  nn::kaiming_normal_convolutions_(*this, generator);
}

Tensor PreActResNet::extract_map(const Tensor& x) {
  Tensor y = conv_norm(conv1, bn1, bn0.forward(x), {.relu = true});
  y = max_pool2d(
      y, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
  Tensor behind_stage2;
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    for (const auto& block : layers[stage]) {
      const Tensor activated = block->activate(y);
      if (stage == 2 && block == layers[2].front()) behind_stage2 = activated;
      y = block->forward(y, activated);
    }
    y = nn::tap("layer" + std::to_string(stage + 1), y);
  }
  y = bn2.forward(y, {.relu = true});
  if (whole()) return y;
  return concat({adaptive_avg_pool2d(behind_stage2, y.dim(2), y.dim(3)), y}, 1);
}

Tensor PreActResNet::extract(const Tensor& x) {
  return global_avg_pool2d(extract_map(x));
}

std::string PreActResNet::adopt(std::vector<nn::NamedSource>& tensors) {
  std::string note;
  for (nn::NamedSource& tensor : tensors) {
    const std::string ours = preact_resnet_name(tensor.name);
    if (ours.empty()) continue;
    tensor.name = ours;
    note = "GluonCV's names were translated";
  }
  return note;
}

void PreActResNet::replace_head(int64_t new_classes, Generator& generator) {
  const int64_t features = channels_behind(layers.size()) + (whole() ? 0 : channels_behind(2));
  fc = std::make_unique<nn::Linear>(features, new_classes, true, generator);
  classes = new_classes;
}

void PreActResNet::visit(nn::Visitor& v) {
  v.child("bn0", bn0);
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    v.children("layer" + std::to_string(stage + 1), layers[stage]);
  }
  v.child(whole() ? "bn2" : "layer4.0.bn1", bn2);
  visit_head(v, "fc", *fc);
}

std::string preact_resnet_name(const std::string& gluon_name) {
  static const std::regex pattern(
      R"(resnetv2\d+_(?:stage(\d)_)?(batchnorm|conv|dense)(\d+)_(\w+))");
  std::smatch match;
  if (!std::regex_match(gluon_name, match, pattern)) return {};
  const std::string kind = match[2];
  const int number = std::stoi(match[3]);
  std::string field = match[4];
  if (field == "gamma") field = "weight";
  if (field == "beta") field = "bias";
  if (!match[1].matched) {
    if (kind == "dense") return "fc." + field;
    return (kind == "conv" ? "conv1." : "bn" + std::to_string(number) + '.') + field;
  }
  const std::string layer = "layer" + match[1].str() + '.';
  if (kind == "batchnorm") {
    return layer + std::to_string(number / 3) + ".bn" + std::to_string(number % 3 + 1) + '.' +
           field;
  }
  // The first block has four convolutions, its projection last; the others have three.
  if (number == 3) return layer + "0.downsample." + field;
  const int block = number < 3 ? 0 : (number - 1) / 3;
  const int within = number < 3 ? number : (number - 1) % 3;
  return layer + std::to_string(block) + ".conv" + std::to_string(within + 1) + '.' + field;
}

}  // namespace burin::models
