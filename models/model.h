#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "burin/nn/linear.h"
#include "burin/nn/module.h"
#include "burin/nn/state_dict.h"

namespace burin::models {

struct Head;

/// How images become this model's input when it is evaluated (semantics of torchvision and timm).
struct Preprocess {
  int64_t resize = 256;  // shorter side; 0: take the image as it is
  int64_t crop = 224;    // centre crop, square
  bool bicubic = false;  // else bilinear
  bool square = false;   // instead: the largest centred square, resized to `crop`, as fastai does
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
};

/// Any architecture, as an application holds it. Two parts: the trunk that makes features and the
/// head that turns them into logits, the architecture's own linear one or another in its place.
struct Model : nn::Module {
  Model();
  ~Model() override;

  /// Images [N, 3, H, W] → what the head takes: features [N, C], or a map [N, C, H', W'].
  Tensor features(const Tensor& x);
  /// → logits [N, classes]
  Tensor classify(const Tensor& features);
  Tensor forward(const Tensor& x) { return classify(features(x)); }

  /// Puts a freshly initialised linear head for another number of classes in place.
  virtual void replace_head(int64_t classes, Generator& generator) = 0;
  /// Puts the head that `spec` describes (head.h; "linear" is the architecture's own) in place, for
  /// `classes`. `random` draws what its dropout drops and must outlive the model.
  void set_head(const std::string& spec, Generator& init, Generator& random);
  /// "linear", or what set_head was told.
  std::string head_spec() const;
  /// State-dict names that begin so belong to the head: "fc.".
  virtual std::string head_prefix() const = 0;
  /// Channels of the features.
  virtual int64_t feature_count() const = 0;
  /// State-dict names that begin so make up the middle one of three groups of parameters, between
  /// the early layers and the head; empty where there are two. fastai's split of ResNets.
  virtual std::vector<std::string> middle_prefixes() const { return {}; }

  /// Gives what another publisher calls differently our names and shapes; returns a note for the
  /// user, or nothing.
  virtual std::string adopt(std::vector<nn::NamedSource>& tensors);

  std::string architecture;  // its name in the catalog
  int64_t classes = 1000;
  Preprocess preprocess;

 protected:
  virtual Tensor extract(const Tensor& x) = 0;
  /// The activations before they are averaged over space. Throws Error where there are none.
  virtual Tensor extract_map(const Tensor& x);
  virtual Tensor own_head(const Tensor& features) = 0;
  /// For visit(): the head in force, under the name of the architecture's own.
  void visit_head(nn::Visitor& v, std::string_view name, nn::Module& own) const;

 private:
  std::unique_ptr<Head> other_head_;
};

}  // namespace burin::models
