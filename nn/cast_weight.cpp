#include "burin/nn/cast_weight.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/storage.h"

namespace burin::nn {
namespace {

/// As in view(), and also while work is recorded: what is recorded writes nothing yet, and a replay
/// counts as a write of all of it.
ContentKey key_of(const Storage& storage) {
  return {storage.id(), storage.version()};
}
ContentKey key_of(const Tensor& x) {
  return key_of(*x.storage());
}

}  // namespace

/// Neither the copy nor the weight lives on for a recording.
class WeightCopy::InRecording final : public CopyWrittenAlong {
 public:
  InRecording(std::weak_ptr<WeightCopy> copy, std::weak_ptr<Storage> weight)
      : copy_(std::move(copy)), weight_(std::move(weight)) {}

  bool is_current() const override {
    const auto copy = copy_.lock();
    const auto weight = weight_.lock();
    if (copy == nullptr || weight == nullptr) return false;
    const std::lock_guard lock(copy->mutex_);
    return copy->is_current(key_of(*weight));
  }
  void set_current() override {
    const auto copy = copy_.lock();
    const auto weight = weight_.lock();
    if (copy == nullptr || weight == nullptr) return;
    const std::lock_guard lock(copy->mutex_);
    copy->set_current(key_of(*weight));
  }

 private:
  std::weak_ptr<WeightCopy> copy_;
  std::weak_ptr<Storage> weight_;
};

bool WeightCopy::is_current(const ContentKey& weight) const {
  return copy_.defined() && weight == weight_;
}

void WeightCopy::set_current(const ContentKey& weight) {
  weight_ = weight;
  written_ = key_of(copy_);
}

Tensor WeightCopy::of(const Tensor& weight, DType dtype) {
  const std::lock_guard lock(mutex_);
  return make(weight, dtype);
}

Tensor WeightCopy::make(const Tensor& weight, DType dtype) {
  const bool same_dtype = copy_.defined() && copy_.dtype() == dtype;
  if (same_dtype && is_current(key_of(weight))) return copy_;
  const NoGradGuard no_grad;
  if (kept_ && !same_dtype) return cast(weight, dtype);
  const bool fits = same_dtype && copy_.device() == weight.device() &&
                    copy_.shape() == weight.shape() && copy_.strides() == weight.strides();
  if (fits) {
    copy_into(copy_, weight);
  } else {
    copy_ = cast(weight, dtype);
  }
  set_current(key_of(weight));
  return copy_;
}

bool WeightCopy::may_be_recorded(const Tensor& weight) const {
  const std::lock_guard lock(mutex_);
  return kept_ && is_current(key_of(weight));
}

View WeightCopy::writable(const Tensor& weight) {
  const std::lock_guard lock(mutex_);
  if (!is_current(key_of(weight))) return {};
  kept_ = true;
  if (RecordedWrites* const writes = recorded_writes()) {
    writes->copies.push_back(std::make_shared<InRecording>(weak_from_this(), weight.storage()));
  }
  return copy_.writable();
}

void WeightCopy::written_along(const Tensor& weight) {
  const std::lock_guard lock(mutex_);
  if (copy_.defined() && key_of(copy_) != written_) set_current(key_of(weight));
}

void WeightCopy::before_replay(const Tensor& weight) {
  const std::lock_guard lock(mutex_);
  if (kept_) make(weight, copy_.dtype());
}

void WeightCopy::release() {
  const std::lock_guard lock(mutex_);
  kept_ = false;
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
