#pragma once

#include "burin/models/conv_norm.h"
#include "burin/models/model.h"

namespace burin::models {

/// A basic block whose shortcut has no weights ("option A"): where the shape changes it takes every
/// second pixel and pads the channels with zeros on both sides.
struct CifarBlock final : nn::Module, FoldsBatchNorm {
  CifarBlock(int64_t in, int64_t width, int64_t stride, Generator& generator);
  Tensor forward(const Tensor& x);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "CifarBlock"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv1, &bn1}, {&conv2, &bn2}};
  }

  nn::Conv2d conv1, conv2;
  nn::BatchNorm bn1, bn2;
};

/// The ResNets for 32×32 images of He et al. 2016, section 4.2: depth 6n + 2, widths 16, 32, 64.
/// Names as in akamaster/pytorch_resnet_cifar10.
struct CifarResNet final : Model, FoldsBatchNorm {
  CifarResNet(int64_t depth, int64_t classes, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return linear->weight.dim(1); }
  std::string head_prefix() const override { return "linear."; }
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "CifarResNet"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv1, &bn1}};
  }

  nn::Conv2d conv1;
  nn::BatchNorm bn1;
  std::array<std::vector<std::unique_ptr<CifarBlock>>, 3> layers;
  std::unique_ptr<nn::Linear> linear;

 protected:
  Tensor extract(const Tensor& x) override;
  Tensor extract_map(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override { return linear->forward(features); }
};

}  // namespace burin::models
