#include "burin/nn/cast_weight.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"

namespace burin::nn {

bool WeightCopy::is_current(const Tensor& weight) const {
  return copy_.defined() && weight.view().key == weight_;
}

Tensor WeightCopy::of(const Tensor& weight, DType dtype) {
  const bool same_dtype = copy_.defined() && copy_.dtype() == dtype;
  if (same_dtype && is_current(weight)) return copy_;
  const NoGradGuard no_grad;
  if (kept_ && !same_dtype) return cast(weight, dtype);
  const bool fits = same_dtype && copy_.device() == weight.device() &&
                    copy_.shape() == weight.shape() && copy_.strides() == weight.strides();
  if (fits) {
    copy_into(copy_, weight);
  } else {
    copy_ = cast(weight, dtype);
  }
  weight_ = weight.view().key;
  written_ = copy_.view().key;
  return copy_;
}

View WeightCopy::writable(const Tensor& weight) {
  if (!is_current(weight)) return {};
  kept_ = true;
  return copy_.writable();
}

void WeightCopy::written_along(const Tensor& weight) {
  if (!copy_.defined() || copy_.view().key == written_) return;
  weight_ = weight.view().key;
  written_ = copy_.view().key;
}

void WeightCopy::before_replay(const Tensor& weight) {
  if (kept_) of(weight, copy_.dtype());
}

Tensor CastWeight::in(DType dtype, const Tensor& weight) {
  if (weight.dtype() == dtype) return weight;
  if (!records({weight})) return copy_->of(weight, dtype);
  if (recorded_writes() != nullptr && !copy_->may_be_recorded(weight)) return cast(weight, dtype);
  return recorded_cast(weight, copy_->of(weight, dtype));
}

}  // namespace burin::nn
