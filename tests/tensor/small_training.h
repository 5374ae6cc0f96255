#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "burin/nn/adam.h"
#include "burin/nn/cast_weight.h"
#include "burin/nn/linear.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/dropout.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"
#include "burin/tensor/step_graph.h"

namespace burin::testing_support {

inline constexpr int64_t batch = 6, classes = 8;

/// A network with something of each kind that could go stale in a recording: running statistics,
/// random numbers, an optimiser's count and moments, a copy of a weight in 16 bits.
class SmallTraining {
 public:
  explicit SmallTraining(Device device)
      : device_(device), generator_(7, device), head_(classes, classes, true, generator_) {
    const TensorOptions options{DType::f32, device};
    norm_ = {full({classes}, 1, options), zeros({classes}, options), zeros({classes}, options),
             full({classes}, 1, options)};
    scale_ = full({1, classes, 1, 1}, 0.75, options);
    nn::ParameterGroup group;
    for (Tensor* p : {&norm_.weight, &norm_.bias, &scale_}) {
      p->set_requires_grad(true);
      group.parameters.push_back({str("p", group.parameters.size()), *p});
    }
    for (nn::NamedTensor& p : nn::parameters(head_)) group.parameters.push_back(std::move(p));
    optimizer_ = std::make_unique<nn::Adam>(std::vector<nn::ParameterGroup>{group});
    x = empty({batch, classes, 5, 3}, {DType::f32, device, Layout::nhwc});
    labels = empty({batch}, {DType::i64, device});
  }

  /// What changes from step to step. From host memory, so not part of a step.
  void prepare(int64_t step) {
    std::vector<float> values(static_cast<size_t>(x.numel()));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((i * 37 + static_cast<size_t>(step) * 11) % 101) / 50 - 1;
    }
    std::vector<int64_t> targets;
    for (int64_t n = 0; n < batch; ++n) targets.push_back((n * 3 + step) % classes);
    copy_into(x, Tensor::from(values, x.shape()));
    copy_into(labels, Tensor::from(targets, {batch}, {DType::i64}));
    optimizer_->groups()[0].learning_rate = 0.01 * static_cast<double>(step + 1);
  }

  void step() {
    optimizer_->zero_grad();
    const Tensor features = batch_norm_train(x, norm_, {.relu = true}, 0.1f, 1e-5f);
    const Tensor kept = dropout(features * scale_, 0.25, generator_);
    const Tensor pooled = reshape(adaptive_avg_pool2d(kept, 1, 1), {batch, classes});
    const Tensor logits = head_.forward(cast(pooled, DType::bf16));
    loss = cross_entropy(cast(logits, DType::f32), labels, {.label_smoothing = 0.1f});
    backward(loss);
    if (clipped) optimizer_->clip_gradients(0.01);
    optimizer_->step();
  }

  /// As loading a checkpoint does.
  void write_weight(double value) { fill_(head_.weight, value); }

  Tensor weight() const { return head_.weight.detach(); }
  /// In 16 bits.
  Tensor copy_of_weight() {
    return nn::parameters(head_).front().copy->of(head_.weight, DType::bf16);
  }

  void replay(StepGraph& graph) {
    optimizer_->before_replay();
    graph.replay();
    optimizer_->after_replay();
  }

  /// Everything that a step leaves behind.
  std::vector<float> state() {
    std::vector<float> all = loss.to_vector<float>();
    for (const Tensor& tensor : {norm_.weight, norm_.bias, norm_.running_mean,
                                 norm_.running_variance, scale_, head_.weight, head_.bias}) {
      const std::vector<float> values = tensor.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    for (const nn::NamedTensor& moment : optimizer_->state()) {
      const std::vector<float> values = moment.tensor.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    all.push_back(static_cast<float>(generator_.seed_and_offset().second));
    return all;
  }

  Tensor x, labels, loss;
  bool clipped = false;  // the gradients

 private:
  Device device_;
  Generator generator_;
  BatchNormState norm_;
  Tensor scale_;
  nn::Linear head_;
  std::unique_ptr<nn::Adam> optimizer_;
};

}  // namespace burin::testing_support
