#pragma once

#include <optional>
#include <vector>

#include "burin/models/conv_norm.h"
#include "burin/models/model.h"

namespace burin::models {

/// Residual networks: He et al. 2016, arXiv:1512.03385; torchvision's wiring and names. The
/// bottleneck's stride sits on the 3×3 ("v1.5").

struct ResNetOptions {
  bool bottleneck = false;
  std::array<int64_t, 4> widths = {64, 128, 256, 512};
  std::array<int64_t, 4> depths = {2, 2, 2, 2};
  int64_t classes = 1000;
};

/// The 1×1 convolution and norm on a shortcut whose shape changes: names "0" and "1".
struct Downsample final : nn::Module, FoldsBatchNorm {
  Downsample(int64_t in, int64_t out, int64_t stride, Generator& generator);
  Tensor forward(const Tensor& x) { return conv_norm(conv, norm, x); }
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "Downsample"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv, &norm}};
  }

  nn::Conv2d conv;
  nn::BatchNorm norm;
};

struct ResidualBlock : nn::Module, FoldsBatchNorm {
  virtual Tensor forward(const Tensor& x) = 0;
};

/// Two 3×3 convolutions around an identity.
struct BasicBlock final : ResidualBlock {
  BasicBlock(int64_t in, int64_t width, int64_t stride, Generator& generator);
  Tensor forward(const Tensor& x) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "BasicBlock"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override;

  nn::Conv2d conv1, conv2;
  nn::BatchNorm bn1, bn2;
  std::unique_ptr<Downsample> downsample;
};

/// 1×1 down to `width`, 3×3, 1×1 up to 4 · width.
struct Bottleneck final : ResidualBlock {
  static constexpr int64_t expansion = 4;
  Bottleneck(int64_t in, int64_t width, int64_t stride, Generator& generator);
  Tensor forward(const Tensor& x) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "Bottleneck"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override;

  nn::Conv2d conv1, conv2, conv3;
  nn::BatchNorm bn1, bn2, bn3;
  std::unique_ptr<Downsample> downsample;
};

struct ResNet final : Model, FoldsBatchNorm {
  ResNet(const ResNetOptions& options, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return fc->weight.dim(1); }
  std::string head_prefix() const override { return "fc."; }
  std::vector<std::string> middle_prefixes() const override { return {"layer3.", "layer4."}; }
  /// The names that fastai saves become torchvision's.
  std::string adopt(std::vector<nn::NamedSource>& tensors) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "ResNet"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv1, &bn1}};
  }

  nn::Conv2d conv1;
  nn::BatchNorm bn1;
  std::array<std::vector<std::unique_ptr<ResidualBlock>>, 4> layers;  // layer1 … layer4
  std::unique_ptr<nn::Linear> fc;

 protected:
  Tensor extract(const Tensor& x) override;
  Tensor extract_map(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override { return fc->forward(features); }
};

}  // namespace burin::models
