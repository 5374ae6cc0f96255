#pragma once

#include <array>

#include "burin/models/conv_norm.h"
#include "burin/models/model.h"
#include "burin/nn/dropout.h"

namespace burin::models {

/// A 1×1 convolution that squeezes, then 1×1 and 3×3 ones that expand, side by side.
struct Fire final : nn::Module {
  Fire(int64_t in, int64_t squeezed, int64_t expanded, Generator& generator);
  Tensor forward(const Tensor& x);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "Fire"; }

  nn::Conv2d squeeze, expand1x1, expand3x3;
};

/// SqueezeNet 1.1: Iandola et al. 2016, arXiv:1602.07360; torchvision's wiring and names.
struct SqueezeNet final : Model {
  SqueezeNet(int64_t classes, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return classifier->options.in_channels; }
  std::string head_prefix() const override { return "classifier."; }
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "SqueezeNet 1.1"; }

  nn::Conv2d conv;                             // features.0
  std::array<std::unique_ptr<Fire>, 8> fires;  // features.3 4 6 7 9 10 11 12
  nn::Dropout dropout;                         // classifier.0
  std::unique_ptr<nn::Conv2d> classifier;      // classifier.1

 protected:
  /// The map, which its own head takes as it is; averaged over space for another.
  Tensor extract(const Tensor& x) override;
  Tensor extract_map(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override;
};

}  // namespace burin::models
