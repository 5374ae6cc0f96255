#include "burin/nn/cast_weight.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/copy.h"

namespace burin::nn {

Tensor CastWeight::in(DType dtype, const Tensor& weight) {
  if (weight.dtype() == dtype) return weight;
  if (records({weight})) return cast(weight, dtype);
  const ContentKey key = weight.view().key;
  if (!copy_.defined() || copy_.dtype() != dtype || !key || !(of_ == key)) {
    copy_ = cast(weight, dtype);
    of_ = key;
  }
  return copy_;
}

}  // namespace burin::nn
