#include "burin/models/fold.h"

#include "burin/models/conv_norm.h"

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

}  // namespace

int64_t fold_batch_norm(Model& model) {
  nn::set_training(model, false);
  nn::set_requires_grad(model, false);
  Folder folder;
  nn::walk(model, folder);
  return folder.count;
}

}  // namespace burin::models
