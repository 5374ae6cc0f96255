#pragma once

#include "burin/models/conv_norm.h"
#include "burin/models/model.h"

namespace burin::models {

/// norm-ReLU before each convolution; where the shape changes the shortcut is a 1×1 convolution of
/// the activation behind the first norm.
struct PreActBottleneck final : nn::Module, FoldsBatchNorm {
  static constexpr int64_t expansion = 4;
  PreActBottleneck(int64_t in, int64_t width, int64_t stride, bool projected, Generator& generator);
  /// The activation behind the first norm.
  Tensor activate(const Tensor& x) { return bn1.forward(x, {.relu = true}); }
  /// `activated` is activate(x).
  Tensor forward(const Tensor& x, const Tensor& activated);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "PreActBottleneck"; }
  /// The norms behind conv1 and conv2; bn1 has no convolution before it.
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv1, &bn2}, {&conv2, &bn3}};
  }

  nn::BatchNorm bn1, bn2, bn3;
  nn::Conv2d conv1, conv2, conv3;
  std::unique_ptr<nn::Conv2d> downsample;
};

struct PreActResNetOptions {
  int64_t stages = 4;  // 4: whole; 3: ends where stage 4 would begin
  int64_t classes = 1000;
};

/// ResNet-50 v2: He et al. 2016, "Identity mappings in deep residual networks", arXiv:1603.05027,
/// wired as GluonCV's resnet50_v2 (a norm on the input, the stride on the 3×3).
///
/// With three stages its features are what the next stages would see: the activation behind stage 2
/// (averaged to stage 3's size) and the one behind stage 3, [N, 512 + 1024, H / 16, W / 16] before
/// they are averaged over space. Texture that stage 3 has left behind is still in the former.
struct PreActResNet final : Model, FoldsBatchNorm {
  PreActResNet(const PreActResNetOptions& options, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return fc->weight.dim(1); }
  std::string head_prefix() const override { return "fc."; }
  std::vector<std::string> middle_prefixes() const override {
    return {"layer3.", "layer4.", "bn2."};
  }
  /// GluonCV's names become ours.
  std::string adopt(std::vector<nn::NamedSource>& tensors) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "PreActResNet"; }
  std::vector<std::pair<nn::Conv2d*, nn::BatchNorm*>> foldable() override {
    return {{&conv1, &bn1}};
  }

  nn::BatchNorm bn0;  // on the input
  nn::Conv2d conv1;
  nn::BatchNorm bn1;
  std::vector<std::vector<std::unique_ptr<PreActBottleneck>>> layers;
  nn::BatchNorm bn2;  // behind the last stage; after three it is the first norm of the fourth
  std::unique_ptr<nn::Linear> fc;

 protected:
  Tensor extract(const Tensor& x) override;
  Tensor extract_map(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override { return fc->forward(features); }

 private:
  bool whole() const { return layers.size() == 4; }
};

/// GluonCV's name of an entry ("resnetv24_stage1_batchnorm0_gamma") → ours ("layer1.0.bn1.weight");
/// an empty string if it is none of theirs.
std::string preact_resnet_name(const std::string& gluon_name);

}  // namespace burin::models
