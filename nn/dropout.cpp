#include "burin/nn/dropout.h"

#include "burin/tensor/ops/dropout.h"

namespace burin::nn {

Tensor Dropout::forward(const Tensor& x) {
  return training && p > 0 ? dropout(x, p, *generator) : x;
}

}  // namespace burin::nn
