#pragma once

#include "burin/nn/linear.h"

namespace burin::nn {

/// Multi-head self-attention as timm names it: proj(attention(qkv(x))).
struct Attention final : Module {
  /// Throws Error unless the heads divide the features.
  Attention(int64_t features, int64_t heads, Generator& generator);

  /// [N, T, features] → the same shape; `residual`, where there is one, is added to the result.
  Tensor forward(const Tensor& x, const Tensor& residual = {});
  void visit(Visitor& visitor) override;
  std::string describe() const override { return str("Attention(", heads_, " heads)"); }

  Linear qkv;  // rows in the order q, k, v, each of all heads
  Linear proj;

 private:
  int64_t heads_;
};

}  // namespace burin::nn
