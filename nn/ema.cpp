#include "burin/nn/ema.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "burin/kernels/ema.h"
#include "burin/tensor/context.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/random.h"

namespace burin::nn {

Ema::Ema(Module& module, double decay, bool warm_up)
    : values_(nn::state(module)),
      written_(std::numeric_limits<float>::quiet_NaN()),
      decay_(decay),
      warm_up_(warm_up) {
  check(decay >= 0 && decay < 1, "ema: decay ", decay, " must be in [0, 1)");
  check(!values_.empty(), "ema: the module has no tensors");
  const NoGradGuard no_grad;
  for (const NamedTensor& value : values_) {
    const NamedTensor& first = values_.front();
    check_same_device("ema", {{first.name, first.tensor}, {value.name, value.tensor}});
    Tensor average = empty_like(value.tensor);
    copy_into(average, value.tensor);
    averages_.push_back({value.name, average});
  }
  device_decay_ = empty({1}, {DType::f32, values_.front().tensor.device()});
}

/// The decay of the next update. The value travels as the argument of a kernel: nothing waits.
void Ema::write_decay() {
  const double age = static_cast<double>(updates_ + 1);
  const double d = warm_up_ ? std::min(decay_, 1 - std::pow(1 + age, -2.0 / 3)) : decay_;
  if (written_ == static_cast<float>(d)) return;
  check(recorded_writes() == nullptr,
        "ema: a decay that changes can't be recorded; call before_replay() first");
  fill_(device_decay_, d);
  written_ = static_cast<float>(d);
}

void Ema::before_replay() {
  const NoGradGuard no_grad;
  write_decay();
}

void Ema::update() {
  const NoGradGuard no_grad;
  write_decay();
  EmaStep op;
  for (size_t i = 0; i < values_.size(); ++i) {
    Tensor& average = averages_[i].tensor;
    if (is_floating(average.dtype())) {
      op.slots.push_back({average.writable(), values_[i].tensor.view()});
    } else {
      copy_into(average, values_[i].tensor);
    }
  }
  op.decay = device_decay_.view();
  launch(device_decay_.device(), op);
  if (recorded_writes() == nullptr) ++updates_;
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
