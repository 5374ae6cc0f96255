#include "burin/nn/optimizer.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "burin/kernels/adam.h"
#include "burin/kernels/range.h"
#include "burin/nn/cast_weight.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"

namespace burin::nn {

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  std::unordered_set<const void*> seen;
  for (size_t g = 0; g < groups_.size(); ++g) {
    Batch decayed{g, groups_[g].weight_decay, {}, {}, {}};
    Batch plain{g, 0, {}, {}, {}};
    for (const NamedTensor& p : groups_[g].parameters) {
      check(p.tensor.dtype() == DType::f32, "optimizer: ", p.name, " is ", p.tensor.dtype(),
            ", parameters must be f32");
      check(seen.insert(p.tensor.view().data).second, "optimizer: ", p.name, " is in two groups");
      const NamedTensor& first = groups_[g].parameters.front();
      check_same_device("optimizer", {{first.name, first.tensor}, {p.name, p.tensor}});
      const bool spared = p.tensor.rank() <= 1 && !groups_[g].decay_vectors;
      (spared ? plain : decayed).parameters.push_back(p);
    }
    for (Batch* batch : {&decayed, &plain}) {
      if (batch->parameters.empty()) continue;
      batch->scalars =
          zeros({optimizer_scalar_count}, {DType::f32, batch->parameters.front().tensor.device()});
      batch->written.assign(optimizer_scalar_count, std::numeric_limits<float>::quiet_NaN());
      batches_.push_back(std::move(*batch));
    }
  }
  check(!batches_.empty(), "optimizer: there are no parameters");
}

Optimizer::~Optimizer() {
  for (const Batch& batch : batches_) {
    for (const NamedTensor& p : batch.parameters) {
      if (p.copy) p.copy->release();
    }
  }
}

void Optimizer::set_steps(int64_t steps) {
  check(steps >= 0, "optimizer: ", steps, " steps");
  steps_ = steps;
}

/// The value travels as the argument of a kernel: nothing waits, and no host memory is read later.
void Optimizer::write_scalar(Batch& batch, int which, float value) {
  float& held = batch.written[static_cast<size_t>(which)];
  if (held == value) return;
  check(recorded_writes() == nullptr,
        "optimizer: a scalar that changes can't be recorded; call before_replay() first");
  Tensor target = slice(batch.scalars, 0, which, which + 1);
  fill_(target, static_cast<double>(value));
  held = value;
}

void Optimizer::write_scalars(Batch& batch) {
  const ParameterGroup& group = groups_[batch.group];
  write_scalar(batch, scalar_learning_rate, static_cast<float>(group.learning_rate));
  write_scalar(batch, scalar_momentum, static_cast<float>(group.momentum));
  write_scalar(batch, scalar_step, static_cast<float>(steps_));
  write_scalar(batch, scalar_gradient_scale, 1);
}

void Optimizer::step() {
  const NoGradGuard no_grad;
  const Range range(batches_.front().scalars.device(), "optimizer");
  for (Batch& batch : batches_) {
    const auto has_gradient = [](const NamedTensor& p) { return p.tensor.grad().defined(); };
    if (!std::any_of(batch.parameters.begin(), batch.parameters.end(), has_gradient)) continue;
    write_scalars(batch);
    if (gradient_scale_.defined()) {
      Tensor scale = slice(batch.scalars, 0, scalar_gradient_scale, scalar_gradient_scale + 1);
      float& held = batch.written[scalar_gradient_scale];
      held = std::numeric_limits<float>::quiet_NaN();
      copy_into(scale, gradient_scale_);
      step_batch(batch);
      fill_(scale, 1);  // the next step, or a recorded one, may be without
      held = 1;
    } else {
      step_batch(batch);
    }
    if (recorded_writes() == nullptr) batch.written[scalar_step] += 1;
  }
  note_copies();
  if (recorded_writes() == nullptr) ++steps_;
  gradient_scale_ = Tensor();
}

void Optimizer::before_replay() {
  const NoGradGuard no_grad;
  for (Batch& batch : batches_) {
    write_scalars(batch);
    batch.version = batch.scalars.storage()->version();
    for (const NamedTensor& p : batch.parameters) {
      if (p.copy) p.copy->before_replay(p.tensor);
    }
  }
}

void Optimizer::after_replay() {
  ++steps_;
  for (Batch& batch : batches_) {  // a recording writes the scalars of those that it steps
    if (batch.scalars.storage()->version() != batch.version) batch.written[scalar_step] += 1;
  }
}

View Optimizer::copy_beside(const NamedTensor& parameter) {
  return parameter.copy ? parameter.copy->writable(parameter.tensor) : View();
}

void Optimizer::note_copies() {
  for (const Batch& batch : batches_) {
    for (const NamedTensor& p : batch.parameters) {
      if (p.copy) p.copy->written_along(p.tensor);
    }
  }
}

void Optimizer::zero_grad() {
  gradient_scale_ = Tensor();
  for (Batch& batch : batches_) {
    for (NamedTensor& p : batch.parameters) p.tensor.set_grad({});
  }
}

Tensor Optimizer::clip_gradients(double max_norm) {
  check(max_norm > 0, "clip_gradients: max_norm ", max_norm, " must be positive");
  const NoGradGuard no_grad;
  std::vector<Tensor> squares;
  for (const Batch& batch : batches_) {
    for (const NamedTensor& p : batch.parameters) {
      if (p.tensor.grad().defined()) {
        squares.push_back(reshape(sum_of_squares(p.tensor.grad()), {1}));
      }
    }
  }
  check(!squares.empty(), "clip_gradients: no parameter has a gradient");
  const Tensor norm = sqrt(sum(concat(squares, 0), {0}));
  const Tensor coefficient = affine(reciprocal(affine(norm, 1, 1e-6)), max_norm, 0);
  gradient_scale_ = minimum(coefficient, full({1}, 1, coefficient.options()));
  return reshape(norm, {});
}

}  // namespace burin::nn
