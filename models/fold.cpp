#include "burin/models/fold.h"

#include "burin/models/conv_norm.h"
#include "burin/nn/linear.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"

namespace burin::models {
namespace {

/// A block offers its (convolution, norm) pairs through FoldsBatchNorm.
struct Folder final : nn::Visitor {
  void on_module(const std::string& /*path*/, nn::Module& module) override {
    auto* const block = dynamic_cast<FoldsBatchNorm*>(&module);
    if (block == nullptr) return;
    for (const auto& [conv, norm] : block->foldable()) {
      fold(*conv, *norm);
      ++count;
    }
  }
  int64_t count = 0;
};

struct WeightCaster final : nn::Visitor {
  explicit WeightCaster(DType to) : dtype(to) {}
  void on_module(const std::string& /*path*/, nn::Module& module) override {
    if (auto* const conv = dynamic_cast<nn::Conv2d*>(&module)) convert(conv->weight);
    if (auto* const linear = dynamic_cast<nn::Linear*>(&module)) convert(linear->weight);
  }
  void convert(Tensor& weight) const { weight = cast(weight.detach(), dtype); }
  DType dtype;
};

}  // namespace

int64_t fold_batch_norm(Model& model) {
  nn::set_training(model, false);
  nn::set_requires_grad(model, false);
  Folder folder;
  nn::walk(model, folder);
  return folder.count;
}

void store_weights_in(Model& model, DType dtype) {
  const NoGradGuard no_grad;
  nn::set_training(model, false);
  nn::set_requires_grad(model, false);
  WeightCaster caster(dtype);
  nn::walk(model, caster);
}

}  // namespace burin::models
