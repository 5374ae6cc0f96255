#include "burin/nn/ema.h"

#include <algorithm>
#include <cmath>

#include "burin/tensor/context.h"
#include "burin/tensor/ops/elementwise.h"

namespace burin::nn {

Ema::Ema(Module& module, double decay, bool warm_up)
    : values_(nn::state(module)), decay_(decay), warm_up_(warm_up) {
  check(decay >= 0 && decay < 1, "ema: decay ", decay, " must be in [0, 1)");
  for (const NamedTensor& value : values_) {
    Tensor average = empty_like(value.tensor);
    copy_into(average, value.tensor);
    averages_.push_back({value.name, average});
  }
}

void Ema::update() {
  const NoGradGuard no_grad;
  const double age = static_cast<double>(++updates_);
  const double d = warm_up_ ? std::min(decay_, 1 - std::pow(1 + age, -2.0 / 3)) : decay_;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!is_floating(values_[i].tensor.dtype())) {
      copy_into(averages_[i].tensor, values_[i].tensor);
      continue;
    }
    scale_(averages_[i].tensor, d);
    add_(averages_[i].tensor, values_[i].tensor.detach(), 1 - d);
  }
}

void Ema::swap() {
  const NoGradGuard no_grad;
  for (size_t i = 0; i < values_.size(); ++i) {
    Tensor kept = empty_like(values_[i].tensor);
    copy_into(kept, values_[i].tensor);
    copy_into(values_[i].tensor, averages_[i].tensor);
    copy_into(averages_[i].tensor, kept);
  }
}

}  // namespace burin::nn
