#pragma once

#include "burin/nn/module.h"
#include "burin/tensor/random.h"

namespace burin::nn {

/// Stochastic depth: in training drops a whole sample's branch with probability p and scales what
/// is kept by 1 / (1 − p); does nothing in evaluation. Huang et al. 2016, arXiv:1603.09382; timm's
/// DropPath.
struct DropPath final : Module {
  /// The generator must outlive the module.
  DropPath(double probability, Generator& random) : p(probability), generator(&random) {}

  bool active() const { return training && p > 0; }
  /// x [N, …]
  Tensor forward(const Tensor& x);
  void visit(Visitor& /*visitor*/) override {}
  std::string describe() const override { return str("DropPath(", p, ")"); }

  double p;
  Generator* generator;
};

}  // namespace burin::nn
