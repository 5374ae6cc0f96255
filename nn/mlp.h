#pragma once

#include <optional>

#include "burin/nn/grn.h"
#include "burin/nn/linear.h"

namespace burin::nn {

/// fc2(grn?(gelu(fc1(x)))) over the last axis, names as in timm.
struct Mlp final : Module {
  Mlp(int64_t features, int64_t hidden, bool with_grn, Generator& generator);

  /// […, features] → the same shape; `residual`, where there is one, is added to the result.
  Tensor forward(const Tensor& x, const Tensor& residual = {});
  void visit(Visitor& visitor) override;
  std::string describe() const override { return "Mlp"; }

  Linear fc1;
  std::optional<Grn> grn;
  Linear fc2;
};

}  // namespace burin::nn
