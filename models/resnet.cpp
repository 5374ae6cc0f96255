#include "burin/models/resnet.h"

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/pool2d.h"

namespace burin::models {
namespace {

using Pairs = std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>>;

std::unique_ptr<Downsample> downsample_if_needed(int64_t in, int64_t out, int64_t stride,
                                                 Generator& generator) {
  if (in == out && stride == 1) return nullptr;
  return std::make_unique<Downsample>(in, out, stride, generator);
}

}  // namespace

Downsample::Downsample(int64_t in, int64_t out, int64_t stride, Generator& generator)
    : conv(conv_without_bias(in, out, 1, stride), generator),
      norm(out, generator.state().device()) {}

void Downsample::visit(nn::Visitor& v) {
  v.child("0", conv);
  v.child("1", norm);
}

BasicBlock::BasicBlock(int64_t in, int64_t width, int64_t stride, Generator& generator)
    : conv1(conv_without_bias(in, width, 3, stride), generator),
      conv2(conv_without_bias(width, width, 3), generator),
      bn1(width, generator.state().device()),
      bn2(width, generator.state().device()),
      downsample(downsample_if_needed(in, width, stride, generator)) {}

Tensor BasicBlock::forward(const Tensor& x) {
  const Tensor identity = downsample ? downsample->forward(x) : x;
  const Tensor y = conv_norm(conv1, bn1, x, {.relu = true});
  return conv_norm(conv2, bn2, y, {.residual = identity, .relu = true});
}

void BasicBlock::visit(nn::Visitor& v) {
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  v.child("conv2", conv2);
  v.child("bn2", bn2);
  if (downsample) v.child("downsample", *downsample);
}

Pairs BasicBlock::foldable() {
  return {{&conv1, &bn1}, {&conv2, &bn2}};
}

Bottleneck::Bottleneck(int64_t in, int64_t width, int64_t stride, Generator& generator)
    : conv1(conv_without_bias(in, width, 1), generator),
      conv2(conv_without_bias(width, width, 3, stride), generator),
      conv3(conv_without_bias(width, expansion * width, 1), generator),
      bn1(width, generator.state().device()),
      bn2(width, generator.state().device()),
      bn3(expansion * width, generator.state().device()),
      downsample(downsample_if_needed(in, expansion * width, stride, generator)) {}

Tensor Bottleneck::forward(const Tensor& x) {
  const Tensor identity = downsample ? downsample->forward(x) : x;
  Tensor y = conv_norm(conv1, bn1, x, {.relu = true});
  y = conv_norm(conv2, bn2, y, {.relu = true});
  return conv_norm(conv3, bn3, y, {.residual = identity, .relu = true});
}

void Bottleneck::visit(nn::Visitor& v) {
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  v.child("conv2", conv2);
  v.child("bn2", bn2);
  v.child("conv3", conv3);
  v.child("bn3", bn3);
  if (downsample) v.child("downsample", *downsample);
}

Pairs Bottleneck::foldable() {
  return {{&conv1, &bn1}, {&conv2, &bn2}, {&conv3, &bn3}};
}

ResNet::ResNet(const ResNetOptions& options, Generator& generator)
    : conv1(conv_without_bias(3, options.widths[0], 7, 2), generator),
      bn1(options.widths[0], generator.state().device()) {
  int64_t channels = options.widths[0];
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    const int64_t width = options.widths[stage];
    for (int64_t i = 0; i < options.depths[stage]; ++i) {
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      if (options.bottleneck) {
        layers[stage].push_back(std::make_unique<Bottleneck>(channels, width, stride, generator));
        channels = Bottleneck::expansion * width;
      } else {
        layers[stage].push_back(std::make_unique<BasicBlock>(channels, width, stride, generator));
        channels = width;
      }
    }
  }
  classes = options.classes;
  fc = std::make_unique<nn::Linear>(channels, classes, true, generator);
  nn::kaiming_normal_convolutions_(*this, generator);
}

Tensor ResNet::extract_map(const Tensor& x) {
  Tensor y = conv_norm_max_pool(
      conv1, bn1, x,
      {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1});
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    for (const auto& block : layers[stage]) y = block->forward(y);
    y = nn::tap("layer" + std::to_string(stage + 1), y);
  }
  return y;
}

Tensor ResNet::extract(const Tensor& x) {
  return global_avg_pool2d(extract_map(x));
}

void ResNet::replace_head(int64_t new_classes, Generator& generator) {
  fc = std::make_unique<nn::Linear>(fc->weight.dim(1), new_classes, true, generator);
  classes = new_classes;
}

std::string ResNet::adopt(std::vector<nn::NamedSource>& tensors) {
  // nn.Sequential(body, head), the body torchvision's children without their names.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> names = {
      {{"0.0.", "conv1."},
       {"0.1.", "bn1."},
       {"0.4.", "layer1."},
       {"0.5.", "layer2."},
       {"0.6.", "layer3."},
       {"0.7.", "layer4."},
       {"1.", "fc."}}};
  std::string note;
  for (nn::NamedSource& tensor : tensors) {
    for (const auto& [theirs, ours] : names) {
      if (!tensor.name.starts_with(theirs)) continue;
      tensor.name = std::string(ours) + tensor.name.substr(theirs.size());
      note = "fastai's names were translated";
      break;
    }
  }
  return note;
}

void ResNet::visit(nn::Visitor& v) {
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    v.children("layer" + std::to_string(stage + 1), layers[stage]);
  }
  visit_head(v, "fc", *fc);
}

}  // namespace burin::models
