#pragma once

#include "burin/nn/optimizer.h"

namespace burin::nn {

/// Stochastic gradient descent with momentum, as torch.optim.SGD. See kernels/sgd.h for the
/// formula.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<ParameterGroup> groups, bool nesterov = false);
  std::vector<NamedTensor> state() override;

 private:
  void step_batch(Batch& batch) override;
  bool nesterov_;
  std::vector<std::vector<Tensor>> buffers_;  // one list per batch
};

}  // namespace burin::nn
