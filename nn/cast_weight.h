#pragma once

#include "burin/tensor/tensor.h"

namespace burin::nn {

/// A weight in the dtype of the activations it meets (which decide the precision; parameters
/// stay f32). While gradients are recorded the cast is an op of the graph; without them the copy is
/// kept until the master weight changes.
class CastWeight {
 public:
  Tensor in(DType dtype, const Tensor& weight);

 private:
  Tensor copy_;
  ContentKey of_;
};

}  // namespace burin::nn
