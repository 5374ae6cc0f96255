// A step that is recorded once and replayed does what eager steps do, bit for bit, while the data,
// the learning rate and dropout's draws change; and a steady step neither allocates nor waits.
#include "burin/tensor/step_graph.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "burin/kernels/dispatch.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"
#include "tensor/small_training.h"

namespace burin {
namespace {

using testing_support::batch, testing_support::classes;
using Training = testing_support::SmallTraining;

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

// Launches that ask for more than a grid: clusters, and blocks that all wait for each other.
TEST_P(StepGraphOn, ThreeReplaysOfBlocksThatWaitForEachOtherEqualThreeEagerSteps) {
  for (const char* const rungs :
       {"conv2d_forward=cuda/cluster,matmul=cuda/cluster,batch_norm_train=cuda/cluster",
        "batch_norm_train=cuda/cooperative"}) {
    const ImplGuard guard(rungs);
    expect_replays_to_equal_eager_steps(device());
  }
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

TEST_P(StepGraphOn, AWeightIsReadAsItIsAfterEachOfTwoSteps) {
  Training eager(device()), recorded(device());
  for (Training* training : {&eager, &recorded}) {
    training->prepare(0);
    for (int64_t i = 0; i < eager_steps; ++i) training->step();
  }
  StepGraph graph(device(), [&] {
    recorded.step();
    recorded.step();
  });
  eager.step();
  eager.step();
  recorded.replay(graph);
  EXPECT_EQ(recorded.state(), eager.state());
}

TEST_P(StepGraphOn, AWeightWrittenBehindTheOptimizerIsRead) {
  Training eager(device()), recorded(device());
  for (Training* training : {&eager, &recorded}) {
    training->prepare(0);
    for (int64_t i = 0; i < eager_steps; ++i) training->step();
  }
  const auto step = [](Training& training) {
    training.step();
    training.write_weight(0.125);
  };
  StepGraph graph(device(), [&] { step(recorded); });
  for (int i = 0; i < 2; ++i) {
    step(eager);
    recorded.replay(graph);
    EXPECT_EQ(recorded.state(), eager.state()) << "after replay " << i;
    EXPECT_EQ(recorded.copy_of_weight().to_vector<float>(),
              eager.copy_of_weight().to_vector<float>())
        << "an evaluation behind replay " << i;
  }
}

TEST_P(StepGraphOn, AReplayWritesTheCopyOfAWeightAlong) {
  Training training(device());
  training.prepare(0);
  for (int64_t i = 0; i < eager_steps; ++i) training.step();
  const Tensor copy = training.copy_of_weight();
  StepGraph graph(device(), [&] { training.step(); });
  training.replay(graph);
  training.write_weight(0.125);  // as a checkpoint or an average does: cast once more
  training.replay(graph);
  for (int i = 0; i < 2; ++i) {
    const uint64_t version = copy.storage()->version();
    training.replay(graph);
    EXPECT_EQ(copy.storage()->version(), version + 1) << "written by the replay alone";
    EXPECT_EQ(copy.to_vector<float>(), cast(training.weight(), DType::bf16).to_vector<float>());
  }
}

TEST_P(StepGraphOn, AClippedStepLeavesNothingToOneThatIsNot) {
  Training eager(device()), recorded(device());
  const auto clipped_step = [&](int64_t i) {
    for (Training* training : {&eager, &recorded}) {
      training->prepare(i);
      training->clipped = true;
      training->step();
      training->clipped = false;
    }
  };
  for (int64_t i = 0; i < eager_steps; ++i) clipped_step(i);
  StepGraph graph(device(), [&] { recorded.step(); });
  const Tensor loss = recorded.loss;
  clipped_step(eager_steps);
  eager.prepare(eager_steps + 1);
  eager.step();
  recorded.prepare(eager_steps + 1);
  recorded.replay(graph);
  recorded.loss = loss;
  EXPECT_EQ(recorded.state(), eager.state());
}

/// Two parameters, each in a group of its own.
struct TwoGroups {
  explicit TwoGroups(Device device)
      : first(full({3}, 1, {DType::f32, device})),
        second(full({3}, 1, {DType::f32, device})),
        gradient(full({3}, 0.5, {DType::f32, device})),
        adam({group_of("first", first), group_of("second", second)}) {
    first.set_grad(gradient);
  }
  static nn::ParameterGroup group_of(const char* name, const Tensor& parameter) {
    nn::ParameterGroup group;
    group.parameters.push_back({name, parameter});
    return group;
  }
  std::vector<float> values() const {
    std::vector<float> all = first.to_vector<float>(), more = second.to_vector<float>();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Tensor first, second, gradient;
  nn::Adam adam;
};

// Adam's bias correction shows by how many steps a group's count is wrong.
TEST_P(StepGraphOn, AGroupWithoutAGradientInTheRecordingIsNotCountedByAReplay) {
  TwoGroups eager(device()), recorded(device());
  for (TwoGroups* groups : {&eager, &recorded}) groups->adam.step();
  recorded.adam.before_replay();
  StepGraph graph(device(), [&] { recorded.adam.step(); });
  for (TwoGroups* groups : {&eager, &recorded}) {
    groups->second.set_grad(groups->gradient);
    groups->adam.step();
  }
  eager.second.set_grad({});
  eager.adam.step();
  recorded.adam.before_replay();
  graph.replay();
  recorded.adam.after_replay();
  eager.second.set_grad(eager.gradient);
  for (TwoGroups* groups : {&eager, &recorded}) groups->adam.step();
  EXPECT_EQ(recorded.adam.steps(), eager.adam.steps());
  EXPECT_EQ(recorded.values(), eager.values());
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

TEST_P(StepGraphOn, ARecordedStepThatFindsNoMemoryGivesNoneBack) {
  CachingAllocator& allocator = *allocator_of(device());
  allocator.release_cached();
  constexpr int64_t large = 48 << 20, smaller = 32 << 20;
  { const Tensor cached = empty({large}, {DType::u8, device()}); }
  const size_t held = allocator.stats().held_bytes;
  allocator.set_cap(held + (1 << 20));
  const auto step = [&] { zeros({smaller}, {DType::u8, device()}); };
  expect_error([&] { StepGraph(device(), step); }, "no memory for 33554432 bytes");
  EXPECT_EQ(allocator.stats().held_bytes, held);
  step();  // not recorded, it may
  allocator.set_cap(0);
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
