// Copies of weights in 16 bits that an optimiser writes along: always what a cast would give, and
// made once. tests/tensor/step_graph_test.cpp has them in recorded steps.
#include <gtest/gtest.h>

#include <thread>

#include "burin/nn/adam.h"
#include "burin/nn/cast_weight.h"
#include "burin/nn/linear.h"
#include "burin/nn/sgd.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/random.h"

namespace burin::nn {
namespace {

struct Training {
  explicit Training(DType dtype = DType::bf16) : x(cast(values(), dtype)) {
    ParameterGroup group;
    group.parameters = parameters(layer);
    copy = group.parameters.front().copy;
    optimizer = std::make_unique<Adam>(std::vector<ParameterGroup>{group});
  }
  static Tensor values() {
    return Tensor::from(std::vector<float>{1, -2, 3, 0.5f, 0.25f, -1}, {2, 3});
  }
  void step() {
    zero_grad(layer);
    backward(sum(cast(layer.forward(x), DType::f32)));
    optimizer->step();
  }
  ConstView copied() { return copy->of(layer.weight, x.dtype()).view(); }
  void expect_as_if_cast() {
    const Tensor expected = cast(layer.weight, x.dtype());
    EXPECT_EQ(copy->of(layer.weight, x.dtype()).to_vector<float>(), expected.to_vector<float>());
  }

  Generator generator{1};
  Linear layer{3, 4, true, generator};
  Tensor x;
  std::shared_ptr<WeightCopy> copy;
  std::unique_ptr<Optimizer> optimizer;
};

TEST(WeightCopy, IsWrittenOnceAStep) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    Training training(dtype);
    training.step();
    const ConstView before = training.copied();
    for (int i = 0; i < 3; ++i) {
      training.step();
      training.expect_as_if_cast();
    }
    const ConstView after = training.copied();
    EXPECT_EQ(after.key.version, before.key.version + 3) << "by the optimiser, not by a cast";
    EXPECT_EQ(after.data, before.data);
  }
}

TEST(WeightCopy, SgdWritesItToo) {
  Training training;
  ParameterGroup group;
  group.parameters = parameters(training.layer);
  training.optimizer = std::make_unique<Sgd>(std::vector<ParameterGroup>{group});
  training.step();
  const uint64_t version = training.copied().key.version;
  training.step();
  training.expect_as_if_cast();
  EXPECT_EQ(training.copied().key.version, version + 1);
}

TEST(WeightCopy, NoticesThatTheWeightWasWritten) {
  Training training;
  training.step();
  fill_(training.layer.weight, 3);
  training.expect_as_if_cast();
  training.step();
  fill_(training.layer.weight, 5);
  training.optimizer->step();  // finds a copy that is behind, and leaves it so
  training.expect_as_if_cast();
}

TEST(WeightCopy, GivesTheWeightTheGradientOfACast) {
  Training training;
  const Tensor w = training.layer.weight;
  for (int i = 0; i < 2; ++i) training.step();
  const std::vector<float> through_copy = w.grad().to_vector<float>();
  zero_grad(training.layer);
  backward(sum(cast(linear(training.x, cast(w, DType::bf16), training.layer.bias), DType::f32)));
  EXPECT_EQ(w.grad().to_vector<float>(), through_copy);
}

TEST(WeightCopy, StaysWhereItIsWhileAnotherDtypeIsAskedFor) {
  Training training;
  training.step();
  const void* const data = training.copied().data;
  training.layer.forward(cast(Training::values(), DType::f16));
  EXPECT_EQ(training.copied().data, data);
  training.expect_as_if_cast();
}

// As in a server: the thread sanitizer sees two that make the copy at once.
TEST(WeightCopy, ThreadsMayAskAtOnce) {
  Training training;
  const Tensor expected = cast(training.layer.weight, DType::bf16);
  std::vector<Tensor> answers(4);
  {
    std::vector<std::jthread> threads;
    for (Tensor& answer : answers) {
      threads.emplace_back([&] { answer = training.copy->of(training.layer.weight, DType::bf16); });
    }
  }
  for (const Tensor& answer : answers) {
    EXPECT_EQ(answer.view().data, answers[0].view().data) << "one copy for all";
    EXPECT_EQ(answer.to_vector<float>(), expected.to_vector<float>());
  }
}

}  // namespace
}  // namespace burin::nn
