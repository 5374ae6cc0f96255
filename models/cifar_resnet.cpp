#include "burin/models/cifar_resnet.h"

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/pool2d.h"

namespace burin::models {
namespace {

/// Every second pixel (a 1×1 average of stride 2), zeros before and behind the channels.
Tensor shortcut(const Tensor& x, int64_t width, int64_t stride) {
  if (x.dim(1) == width && stride == 1) return x;
  const Tensor picked =
      avg_pool2d(x, {.kernel_h = 1, .kernel_w = 1, .stride_h = stride, .stride_w = stride});
  const int64_t missing = width - x.dim(1);
  const Tensor before =
      zeros({picked.dim(0), missing / 2, picked.dim(2), picked.dim(3)}, picked.options());
  const Tensor behind =
      zeros({picked.dim(0), missing - missing / 2, picked.dim(2), picked.dim(3)}, picked.options());
  return concat({before, picked, behind}, 1);
}

}  // namespace

CifarBlock::CifarBlock(int64_t in, int64_t width, int64_t stride, Generator& generator)
    : conv1(conv_without_bias(in, width, 3, stride), generator),
      conv2(conv_without_bias(width, width, 3), generator),
      bn1(width, generator.state().device()),
      bn2(width, generator.state().device()) {
  nn::kaiming_normal_(conv1.weight, nn::fans_of(conv1.weight).in, generator);
  nn::kaiming_normal_(conv2.weight, nn::fans_of(conv2.weight).in, generator);
}

Tensor CifarBlock::forward(const Tensor& x) {
  const Tensor y = conv_norm(conv1, bn1, x, {.relu = true});
  const Tensor identity = shortcut(x, conv2.options.out_channels, conv1.options.stride);
  return conv_norm(conv2, bn2, y, {.residual = identity, .relu = true});
}

void CifarBlock::visit(nn::Visitor& v) {
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  v.child("conv2", conv2);
  v.child("bn2", bn2);
}

CifarResNet::CifarResNet(int64_t depth, int64_t class_count, Generator& generator)
    : conv1(conv_without_bias(3, 16, 3), generator), bn1(16, generator.state().device()) {
  check(depth >= 8 && depth % 6 == 2, "CifarResNet: depth ", depth, " is not 6n + 2");
  preprocess = {.resize = 0, .crop = 32};
  nn::kaiming_normal_(conv1.weight, nn::fans_of(conv1.weight).in, generator);
  int64_t channels = 16;
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    const int64_t width = int64_t{16} << stage;
    for (int64_t i = 0; i < (depth - 2) / 6; ++i) {
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      layers[stage].push_back(std::make_unique<CifarBlock>(channels, width, stride, generator));
      channels = width;
    }
  }
  replace_head(class_count, generator);
}

Tensor CifarResNet::extract_map(const Tensor& x) {
  Tensor y = conv_norm(conv1, bn1, x, {.relu = true});
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    for (const auto& block : layers[stage]) y = block->forward(y);
    y = nn::tap("layer" + std::to_string(stage + 1), y);
  }
  return y;
}

Tensor CifarResNet::extract(const Tensor& x) {
  return global_avg_pool2d(extract_map(x));
}

void CifarResNet::replace_head(int64_t new_classes, Generator& generator) {
  linear = std::make_unique<nn::Linear>(64, new_classes, true, generator);
  nn::kaiming_normal_(linear->weight, nn::fans_of(linear->weight).in, generator);
  classes = new_classes;
}

void CifarResNet::visit(nn::Visitor& v) {
  v.child("conv1", conv1);
  v.child("bn1", bn1);
  for (size_t stage = 0; stage < layers.size(); ++stage) {
    v.children("layer" + std::to_string(stage + 1), layers[stage]);
  }
  visit_head(v, "linear", *linear);
}

}  // namespace burin::models
