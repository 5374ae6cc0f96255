#pragma once

#include "burin/nn/module.h"
#include "burin/tensor/random.h"

namespace burin::nn {

/// torch.nn.Dropout: drops with probability p in training, does nothing in evaluation.
struct Dropout final : Module {
  /// The generator must outlive the module.
  Dropout(double probability, Generator& random) : p(probability), generator(&random) {}

  Tensor forward(const Tensor& x);
  void visit(Visitor& /*visitor*/) override {}
  std::string describe() const override { return str("Dropout(", p, ")"); }

  double p;
  Generator* generator;
};

}  // namespace burin::nn
