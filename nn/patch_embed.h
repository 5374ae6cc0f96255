#pragma once

#include "burin/nn/conv2d.h"

namespace burin::nn {

/// Cuts an image into square patches and makes each a token, by a convolution whose stride is its
/// size. Dosovitskiy et al. 2021, arXiv:2010.11929.
struct PatchEmbed final : Module {
  PatchEmbed(int64_t patch, int64_t features, Generator& generator);

  /// [N, 3, H, W] → [N, H/patch · W/patch, features], rows of patches from left to right.
  /// Throws Error unless the patches cover the image.
  Tensor forward(const Tensor& x);
  void visit(Visitor& visitor) override { visitor.child("proj", proj); }
  std::string describe() const override { return "PatchEmbed"; }

  Conv2d proj;
};

}  // namespace burin::nn
