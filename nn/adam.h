#pragma once

#include "burin/nn/optimizer.h"

namespace burin::nn {

/// Constants of Adam that are no schedule's business. The groups' momentum is beta1.
struct AdamOptions {
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled_weight_decay = false;  // AdamW
};

/// Adam and AdamW as torch.optim computes them, and fastai's Adam: {.beta2 = .99, .epsilon = 1e-5,
/// .decoupled_weight_decay = true} with groups of weight_decay .01 and decay_vectors false.
/// See kernels/adam.h for the formula, whose t counts the optimiser's steps: torch counts each
/// parameter's. Where some get their first gradient later, make a new optimiser then.
class Adam final : public Optimizer {
 public:
  explicit Adam(std::vector<ParameterGroup> groups, const AdamOptions& options = {});
  std::vector<NamedTensor> state() override;

 private:
  struct Moments {
    std::vector<Tensor> first, second;
  };
  void step_batch(Batch& batch) override;
  AdamOptions options_;
  std::vector<Moments> moments_;  // one per batch
};

}  // namespace burin::nn
