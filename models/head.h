#pragma once

#include <functional>
#include <string>
#include <vector>

#include "burin/nn/module.h"
#include "burin/tensor/random.h"

namespace burin::models {

/// A classifier that stands in for an architecture's own linear one. Its parts are named by their
/// place, as in torch.nn.Sequential, and it always ends in logits: cross-entropy takes logits, and
/// a softmax before it would keep the loss from falling.
///
/// `spec` is "fastai", the head of fastai's vision_learner, or a list such as "256,relu,drop0.3":
/// numbers are linear layers, relu and gelu activations, dropP drops with probability P, bn
/// normalises; a linear layer for the classes follows by itself.
struct Head final : nn::Module {
  /// Throws Error with a hint for a spec that makes no sense. `random` draws what dropout drops and
  /// must outlive the head.
  Head(const std::string& spec, int64_t features, int64_t classes, Generator& init,
       Generator& random);

  /// Features [N, C], or a map [N, C, H, W] for a head that pools it itself → logits.
  Tensor forward(const Tensor& x);
  /// Whether it pools over space by itself.
  bool takes_map() const { return takes_map_; }
  void visit(nn::Visitor& v) override;
  std::string describe() const override { return str("Head(", spec, ")"); }

  const std::string spec;

 private:
  struct Layer {
    std::unique_ptr<nn::Module> module;  // null for what has no parameters
    std::function<Tensor(const Tensor&)> run;
  };
  template <class M, class... Arguments>
  M& add(Arguments&&... arguments);
  void add_function(Tensor (*run)(const Tensor&));
  void make_fastai(int64_t features, int64_t classes, Generator& init, Generator& random);
  void make_list(int64_t features, int64_t classes, Generator& init, Generator& random);

  bool takes_map_ = false;
  std::vector<Layer> layers_;
};

}  // namespace burin::models
