#pragma once

#include "burin/nn/module.h"

namespace burin::nn {

/// Global response normalisation of ConvNeXt V2 over [N, …, C]: weight 0, bias 0 at the start, so
/// that it begins as the identity. Names as in timm.
struct Grn final : Module {
  explicit Grn(int64_t channels, Device device = Device::cpu());

  Tensor forward(const Tensor& x);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Tensor weight;
  Tensor bias;
};

}  // namespace burin::nn
