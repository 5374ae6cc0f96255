#include "burin/nn/init.h"

#include <cmath>

namespace burin::nn {

Fans fans_of(const Tensor& weight) {
  check(weight.rank() >= 2 && weight.numel() > 0, "init: a weight ", weight.shape(),
        " has no fans");
  const int64_t taps = weight.numel() / (weight.dim(0) * weight.dim(1));
  return {weight.dim(1) * taps, weight.dim(0) * taps};
}

void kaiming_uniform_(Tensor& weight, double a, Generator& generator) {
  const auto fan_in = static_cast<double>(fans_of(weight).in);
  const double bound = std::sqrt(6 / ((1 + a * a) * fan_in));
  uniform_(weight, -bound, bound, generator);
}

void kaiming_normal_(Tensor& weight, int64_t fan, Generator& generator) {
  normal_(weight, 0, std::sqrt(2 / static_cast<double>(fan)), generator);
}

void kaiming_normal_convolutions_(Module& module, Generator& generator) {
  for (NamedTensor& p : parameters(module)) {
    if (p.tensor.rank() == 4) kaiming_normal_(p.tensor, fans_of(p.tensor).out, generator);
  }
}

void normal_weights_(Module& module, double std, Generator& generator) {
  for (NamedTensor& p : parameters(module)) {
    if (p.tensor.rank() >= 2) {
      normal_(p.tensor, 0, std, generator);
    } else if (p.name.ends_with("bias")) {
      fill_(p.tensor, 0);
    }
  }
}

void xavier_uniform_(Tensor& weight, Generator& generator) {
  const Fans fans = fans_of(weight);
  const double bound = std::sqrt(6 / static_cast<double>(fans.in + fans.out));
  uniform_(weight, -bound, bound, generator);
}

}  // namespace burin::nn
