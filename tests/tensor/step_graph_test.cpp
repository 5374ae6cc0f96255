// A step that is recorded once and replayed does what eager steps do, bit for bit, while the data,
// the learning rate and dropout's draws change; and a steady step neither allocates nor waits.
#include "burin/tensor/step_graph.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "burin/kernels/dispatch.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/nn/adam.h"
#include "burin/nn/linear.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/dropout.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"

namespace burin {
namespace {

constexpr int64_t batch = 6, classes = 8;

/// A network with something of each kind that could go stale in a recording: running statistics,
/// random numbers, an optimiser's count and moments, a copy of a weight in 16 bits.
class Training {
 public:
  explicit Training(Device device)
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
    optimizer_->step();
  }

  /// As loading a checkpoint does.
  void write_weight(double value) { fill_(head_.weight, value); }

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

 private:
  Device device_;
  Generator generator_;
  BatchNormState norm_;
  Tensor scale_;
  nn::Linear head_;
  std::unique_ptr<nn::Adam> optimizer_;
};

class StepGraphOn : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    const char* const allocator = std::getenv("BURIN_ALLOCATOR");
    if (allocator != nullptr && std::string_view(allocator) == "plain") {
      GTEST_SKIP() << "recording needs the caching allocator";
    }
    if (registry().device(GetParam()) == nullptr) {
      GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    }
  }
  Device device() const { return {GetParam(), 0}; }
};

constexpr int64_t eager_steps = 2;

void expect_replays_to_equal_eager_steps(Device device) {
  Training eager(device), recorded(device);
  for (int64_t i = 0; i < eager_steps; ++i) {
    eager.prepare(i);
    eager.step();
    recorded.prepare(i);
    recorded.step();
  }
  StepGraph graph(device, [&] { recorded.step(); });
  for (int64_t i = eager_steps; i < eager_steps + 3; ++i) {
    eager.prepare(i);
    eager.step();
    recorded.prepare(i);
    recorded.replay(graph);
    EXPECT_EQ(recorded.state(), eager.state()) << "after step " << i;
  }
}

TEST_P(StepGraphOn, ThreeReplaysEqualThreeEagerSteps) {
  expect_replays_to_equal_eager_steps(device());
}

TEST_P(StepGraphOn, ThreeReplaysOfKernelsInClustersEqualThreeEagerSteps) {
  const ImplGuard guard("cuda/cluster");
  expect_replays_to_equal_eager_steps(device());
}

TEST_P(StepGraphOn, LeavesItsMemoryAlone) {
  Training training(device());
  for (int64_t i = 0; i < eager_steps; ++i) {
    training.prepare(i);
    training.step();
  }
  StepGraph graph(device(), [&] { training.step(); });
  // Large enough to be served from whatever the recorded step has freed.
  std::vector<Tensor> others;
  for (int i = 0; i < 64; ++i) {
    others.push_back(full({batch, classes, 5, 3}, 42, {DType::f32, device()}));
  }
  training.prepare(eager_steps);
  training.replay(graph);
  for (const Tensor& other : others) {
    EXPECT_EQ(other.to_vector<float>(), std::vector<float>(static_cast<size_t>(other.numel()), 42));
  }
}

TEST_P(StepGraphOn, AWeightWrittenBetweenReplaysIsRead) {
  Training eager(device()), recorded(device());
  for (Training* training : {&eager, &recorded}) {
    for (int64_t i = 0; i < eager_steps; ++i) {
      training->prepare(i);
      training->step();
    }
  }
  StepGraph graph(device(), [&] { recorded.step(); });
  for (int64_t i = eager_steps; i < eager_steps + 2; ++i) {
    eager.prepare(i);
    eager.write_weight(0.125 * static_cast<double>(i));
    eager.step();
    recorded.prepare(i);
    recorded.write_weight(0.125 * static_cast<double>(i));
    recorded.replay(graph);
    EXPECT_EQ(recorded.state(), eager.state()) << "after step " << i;
  }
}

TEST_P(StepGraphOn, ReplayCountsAsAWrite) {
  Tensor y = zeros({4}, {DType::f32, device()});
  StepGraph graph(device(), [&] { fill_(y, 3); });
  const uint64_t before = y.storage()->version();
  graph.replay();
  EXPECT_GT(y.storage()->version(), before);
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(4, 3));
}

TEST_P(StepGraphOn, ARecordedStepMayNotWait) {
  const Tensor y = full({1}, 2, {DType::f32, device()});
  EXPECT_THROW(StepGraph(device(), [&] { (void)y.item(); }), Error);
  EXPECT_EQ(y.item(), 2);  // and the stream goes on
}

TEST_P(StepGraphOn, ASteadyStepNeitherAllocatesNorWaits) {
  Training training(device());
  for (int64_t i = 0; i < eager_steps; ++i) {
    training.prepare(i);
    training.step();
  }
  const DeviceRuntime& runtime = runtime_of(device());
  const int64_t allocations = allocator_of(device())->stats().device_allocations;
  const int64_t waits = runtime.host_waits(device().index);
  for (int i = 0; i < 3; ++i) training.step();
  EXPECT_EQ(allocator_of(device())->stats().device_allocations, allocations);
  EXPECT_EQ(runtime.host_waits(device().index), waits);

  StepGraph graph(device(), [&] { training.step(); });
  const int64_t recorded = allocator_of(device())->stats().device_allocations;
  for (int i = 0; i < 3; ++i) training.replay(graph);
  EXPECT_EQ(allocator_of(device())->stats().device_allocations, recorded);
  EXPECT_EQ(runtime.host_waits(device().index), waits);
}

INSTANTIATE_TEST_SUITE_P(Devices, StepGraphOn,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST(StepGraph, SaysThatTheCpuCannotRecord) {
  EXPECT_FALSE(StepGraph::is_possible(Device::cpu()));
  expect_error([] { StepGraph(Device::cpu(), [] {}); }, "step_graph: cpu can't record work");
}

}  // namespace
}  // namespace burin
