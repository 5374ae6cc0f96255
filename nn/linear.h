#pragma once

#include "burin/nn/cast_weight.h"
#include "burin/nn/module.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/random.h"

namespace burin::nn {

/// torch.nn.Linear: y = x · weightᵀ + bias; weight [out, in], bias [out]; both U(±1 / √in).
struct Linear final : Module {
  Linear(int64_t in_features, int64_t out_features, bool with_bias, Generator& generator);

  /// […, in] → […, out]
  Tensor forward(const Tensor& x, const LinearEpilogue& epilogue = {});
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Tensor weight;
  Tensor bias;  // undefined without bias

 private:
  CastWeight cast_;
};

}  // namespace burin::nn
