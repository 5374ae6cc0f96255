#pragma once

#include <array>
#include <memory>
#include <string>

#include "burin/nn/linear.h"
#include "burin/nn/module.h"

namespace burin::models {

/// How images become this model's input when it is evaluated (semantics of torchvision and timm).
struct Preprocess {
  int64_t resize = 256;  // shorter side; 0: take the image as it is
  int64_t crop = 224;    // centre crop, square
  bool bicubic = false;  // else bilinear
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
};

/// Any architecture, as an application holds it. Two parts: the trunk that makes features and the
/// head that turns them into logits.
struct Model : nn::Module {
  /// Images [N, 3, H, W] → what the head takes.
  virtual Tensor features(const Tensor& x) = 0;
  /// → logits [N, classes]
  virtual Tensor classify(const Tensor& features) = 0;
  Tensor forward(const Tensor& x) { return classify(features(x)); }

  /// Puts a freshly initialised linear head for another number of classes in place.
  virtual void replace_head(int64_t classes, Generator& generator) = 0;
  /// State-dict names that begin so belong to the head: "fc.".
  virtual std::string head_prefix() const = 0;

  std::string architecture;  // its name in the catalog
  int64_t classes = 1000;
  Preprocess preprocess;
};

}  // namespace burin::models
