#pragma once

#include "burin/nn/cast_weight.h"
#include "burin/nn/module.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/random.h"

namespace burin::nn {

struct Conv2dOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// torch.nn.Conv2d: weight [out, in / groups, kernel, kernel], bias [out]; both U(±1 / √fan_in).
struct Conv2d final : Module {
  Conv2d(const Conv2dOptions& options, Generator& generator);

  /// [N, in, H, W] → [N, out, P, Q], see kernels/conv2d.h.
  Tensor forward(const Tensor& x);
  /// For inference: y = activation(conv + bias + residual) in one call.
  Tensor forward_fused(const Tensor& x, const Tensor& residual, Activation activation);
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Conv2dOptions options;
  Tensor weight;
  Tensor bias;  // undefined without bias

 private:
  Conv2dParams params() const;
  CastWeight cast_;
};

}  // namespace burin::nn
