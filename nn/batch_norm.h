#pragma once

#include "burin/nn/module.h"
#include "burin/tensor/ops/batch_norm.h"

namespace burin::nn {

/// torch.nn.BatchNorm1d and 2d: [N, C] or [N, C, H, W], normalised over all but C. In training with
/// the batch's statistics, which also move the running ones; in evaluation with the running ones.
struct BatchNorm final : Module {
  explicit BatchNorm(int64_t channels, Device device = Device::cpu());

  /// y = relu?(norm(x) + residual), fused.
  Tensor forward(const Tensor& x, const BatchNormEpilogue& epilogue = {});
  /// max_pool2d(relu(norm(x))), fused in training.
  Tensor forward_max_pool(const Tensor& x, const Pool2dParams& params);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  BatchNormState state;
  float momentum = 0.1f;
  float epsilon = 1e-5f;
  bool folded = false;  // merged into the convolution before it (models/fold.h): skipped
};

}  // namespace burin::nn
