#pragma once

#include "burin/nn/module.h"

namespace burin::nn {

/// torch.nn.LayerNorm over the last axis: weight 1, bias 0.
struct LayerNorm final : Module {
  explicit LayerNorm(int64_t channels, float eps = 1e-5f, Device device = Device::cpu());

  Tensor forward(const Tensor& x);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Tensor weight;
  Tensor bias;
  float epsilon;
};

}  // namespace burin::nn
