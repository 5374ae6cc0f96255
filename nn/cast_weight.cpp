#include "burin/nn/cast_weight.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"

namespace burin::nn {
namespace {

/// As in view(), and also while work is recorded: what is recorded writes nothing yet, and a replay
/// counts as a write of all of it.
ContentKey key_of(const Tensor& x) {
  return {x.storage()->id(), x.storage()->version()};
}

}  // namespace

bool WeightCopy::is_current(const Tensor& weight) const {
  return copy_.defined() && key_of(weight) == weight_;
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
  weight_ = key_of(weight);
  written_ = key_of(copy_);
  return copy_;
}

View WeightCopy::writable(const Tensor& weight) {
  if (!is_current(weight)) return {};
  kept_ = true;
  return copy_.writable();
}

void WeightCopy::written_along(const Tensor& weight) {
  if (!copy_.defined() || key_of(copy_) == written_) return;
  weight_ = key_of(weight);
  written_ = key_of(copy_);
}

void WeightCopy::before_replay(const Tensor& weight) {
  was_current_ = is_current(weight);
  if (kept_) of(weight, copy_.dtype());
}

/// A copy that was behind may be so again: the step may write the weight after its optimiser.
void WeightCopy::after_replay(const Tensor& weight) {
  if (was_current_) written_along(weight);
}

Tensor CastWeight::in(DType dtype, const Tensor& weight) {
  if (weight.dtype() == dtype) return weight;
  const bool trained = records({weight});
  if (recorded_writes() != nullptr && !(trained && copy_->may_be_recorded(weight))) {
    return cast(weight, dtype);
  }
  if (!trained) return copy_->of(weight, dtype);
  return recorded_cast(weight, copy_->of(weight, dtype));
}

}  // namespace burin::nn
