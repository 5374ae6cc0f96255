#pragma once

#include "burin/nn/module.h"
#include "burin/tensor/random.h"

namespace burin::nn {

/// Initialisations, torch's names. Weights are [K, C, R, S] or [K, C]; fan_in = C·R·S, fan_out =
/// K·R·S. He et al. 2015, arXiv:1502.01852; Glorot & Bengio 2010.

struct Fans {
  int64_t in;
  int64_t out;
};
Fans fans_of(const Tensor& weight);

/// U(±√(6 / ((1 + a²) · fan_in))); torch's Conv2d and Linear use a = √5, that is U(±1 / √fan_in).
void kaiming_uniform_(Tensor& weight, double a, Generator& generator);
/// N(0, 2 / fan): what torchvision's ResNets use, with fan_out.
void kaiming_normal_(Tensor& weight, int64_t fan, Generator& generator);
/// Every convolution of a module by kaiming_normal_ with fan_out.
void kaiming_normal_convolutions_(Module& module, Generator& generator);
/// Every weight of two or more dimensions from N(0, std²), every bias 0: how timm begins its
/// Transformers and ConvNeXts. (Its trunc_normal_(std=.02) cuts at ±2, a hundred deviations off.)
void normal_weights_(Module& module, double std, Generator& generator);
/// U(±√(6 / (fan_in + fan_out)))
void xavier_uniform_(Tensor& weight, Generator& generator);

}  // namespace burin::nn
