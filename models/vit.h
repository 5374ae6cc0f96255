#pragma once

#include "burin/models/model.h"
#include "burin/nn/attention.h"
#include "burin/nn/drop_path.h"
#include "burin/nn/layer_norm.h"
#include "burin/nn/mlp.h"
#include "burin/nn/patch_embed.h"

namespace burin::models {

/// Vision Transformer: Dosovitskiy et al. 2021, arXiv:2010.11929; timm's wiring and names.

struct VitOptions {
  int64_t image = 224, patch = 16;
  int64_t width = 768, depth = 12, heads = 12;
  int64_t classes = 1000;
  double drop_path = 0;  // of the last block; the first has 0
};

struct VitBlock final : nn::Module {
  VitBlock(int64_t width, int64_t heads, double drop_path, Generator& generator);
  /// [N, T, width]; `name` is this block's in taps.
  Tensor forward(const Tensor& x, const std::string& name);
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "VitBlock"; }

  nn::LayerNorm norm1;
  nn::Attention attn;
  nn::LayerNorm norm2;
  nn::Mlp mlp;
  nn::DropPath drop_path;
};

struct VisionTransformer final : Model {
  VisionTransformer(const VitOptions& options, Generator& generator);

  void replace_head(int64_t classes, Generator& generator) override;
  int64_t feature_count() const override { return norm.weight.dim(0); }
  std::string head_prefix() const override { return "head."; }
  /// torchvision's names become timm's, with torchvision's preprocessing; a position embedding of
  /// another image size is resized.
  std::string adopt(std::vector<nn::NamedSource>& tensors) override;
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return "VisionTransformer"; }

  Tensor cls_token, pos_embed;  // [1, 1, width], [1, 1 + patches, width]
  nn::PatchEmbed patch_embed;
  std::vector<std::unique_ptr<VitBlock>> blocks;
  nn::LayerNorm norm;
  std::unique_ptr<nn::Linear> head;

 protected:
  /// The class token behind the last norm, [N, width].
  Tensor extract(const Tensor& x) override;
  Tensor own_head(const Tensor& features) override { return head->forward(features); }
};

/// torchvision's name of an entry ("encoder.layers.encoder_layer_0.ln_1.weight") → timm's
/// ("blocks.0.norm1.weight"); an empty string if it is none of torchvision's.
std::string vit_name(const std::string& torchvision_name);

/// A position embedding [1, 1 + g·g, C] for another grid: the class token's row stays, the others
/// are resized as an image of g × g, bicubic with antialiasing. timm's resample_abs_pos_embed.
/// Differentiable; `embed` itself if the grid is the same. Throws Error unless g is whole.
Tensor resize_position_embedding(const Tensor& embed, int64_t rows, int64_t columns);

}  // namespace burin::models
