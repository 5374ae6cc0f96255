#include "burin/nn/optimizer.h"

#include <unordered_set>

#include "burin/kernels/adam.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/shape.h"

namespace burin::nn {

Optimizer::Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {
  std::unordered_set<const void*> seen;
  for (size_t g = 0; g < groups_.size(); ++g) {
    Batch decayed{g, groups_[g].weight_decay, {}, {}};
    Batch plain{g, 0, {}, {}};
    for (const NamedTensor& p : groups_[g].parameters) {
      check(p.tensor.dtype() == DType::f32, "optimizer: ", p.name, " is ", p.tensor.dtype(),
            ", parameters must be f32");
      check(seen.insert(p.tensor.view().data).second, "optimizer: ", p.name, " is in two groups");
      const bool spared = p.tensor.rank() <= 1 && !groups_[g].decay_vectors;
      (spared ? plain : decayed).parameters.push_back(p);
    }
    for (Batch* batch : {&decayed, &plain}) {
      if (batch->parameters.empty()) continue;
      batch->scalars =
          zeros({optimizer_scalar_count}, {DType::f32, batch->parameters.front().tensor.device()});
      batches_.push_back(std::move(*batch));
    }
  }
  check(!batches_.empty(), "optimizer: there are no parameters");
}

Optimizer::~Optimizer() = default;

void Optimizer::set_steps(int64_t steps) {
  check(steps >= 0, "optimizer: ", steps, " steps");
  steps_ = steps;
}

void Optimizer::write_scalars(Batch& batch) {
  const ParameterGroup& group = groups_[batch.group];
  std::vector<float> values(optimizer_scalar_count, 0.0f);
  values[scalar_learning_rate] = static_cast<float>(group.learning_rate);
  values[scalar_momentum] = static_cast<float>(group.momentum);
  values[scalar_step] = static_cast<float>(steps_);
  values[scalar_gradient_scale] = 1;
  copy_into(batch.scalars, Tensor::from(values, {optimizer_scalar_count}));
  if (gradient_scale_.defined()) {
    Tensor target = slice(batch.scalars, 0, scalar_gradient_scale, scalar_gradient_scale + 1);
    copy_into(target, gradient_scale_);
  }
}

void Optimizer::step() {
  const NoGradGuard no_grad;
  for (Batch& batch : batches_) {
    write_scalars(batch);
    step_batch(batch);
  }
  ++steps_;
  gradient_scale_ = Tensor();
}

void Optimizer::zero_grad() {
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
