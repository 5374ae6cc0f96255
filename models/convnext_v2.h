#pragma once

#include "burin/models/model.h"
#include "burin/nn/conv2d.h"
#include "burin/nn/drop_path.h"
#include "burin/nn/layer_norm.h"
#include "burin/nn/mlp.h"

namespace burin::models {

/// ConvNeXt V2: Woo et al. 2023, arXiv:2301.00808; timm's wiring and names. The published weights
/// are CC BY-NC 4.0.

struct ConvNextOptions {
  std::array<int64_t, 4> widths = {96, 192, 384, 768};
  std::array<int64_t, 4> depths = {3, 3, 9, 3};
  int64_t classes = 1000;
  double drop_path = 0;  // of the last block; the first has 0
};

/// x + mlp(norm(depthwise 7×7 of x)); the norm and the MLP work on rows of channels.
struct ConvNextBlock final : nn::Module {
  ConvNextBlock(int64_t width, double drop_path, Generator& generator);
  Tensor forward(const Tensor& x);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "ConvNextBlock"; }

  nn::Conv2d conv_dw;
  nn::LayerNorm norm;
  nn::Mlp mlp;
  nn::DropPath drop_path;
};

struct ConvNextStage final : nn::Module {
  /// Halves the image where `in` differs from `out`.
  ConvNextStage(int64_t in, int64_t out, const std::vector<double>& drop_paths,
                Generator& generator);
  /// `name` is this stage's in taps.
  Tensor forward(const Tensor& x, const std::string& name);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "ConvNextStage"; }

  std::unique_ptr<nn::LayerNorm> downsample_norm;  // downsample.0
  std::unique_ptr<nn::Conv2d> downsample;          // downsample.1
  std::vector<std::unique_ptr<ConvNextBlock>> blocks;
};

struct ConvNextV2 final : Model {
  ConvNextV2(const ConvNextOptions& options, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return head_norm.weight.dim(0); }
  std::string head_prefix() const override { return "head.fc."; }
  /// The original release's names become timm's.
  std::string adopt(std::vector<nn::NamedSource>& tensors) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "ConvNextV2"; }

  nn::Conv2d stem;          // stem.0
  nn::LayerNorm stem_norm;  // stem.1
  std::array<std::unique_ptr<ConvNextStage>, 4> stages;
  nn::LayerNorm head_norm;         // head.norm
  std::unique_ptr<nn::Linear> fc;  // head.fc

 protected:
  Tensor extract(const Tensor& x) override;
  Tensor extract_map(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override { return fc->forward(features); }
};

/// The original release's name of an entry ("stages.0.1.pwconv1.weight") → timm's
/// ("stages.0.blocks.1.mlp.fc1.weight"); an empty string if it is none of theirs.
std::string convnext_name(const std::string& original_name);

}  // namespace burin::models
