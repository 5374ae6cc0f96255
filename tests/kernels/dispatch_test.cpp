// Which implementation runs: the order of the list, rules in three places, strictness, and the
// words for what is not there.
#include "burin/kernels/dispatch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <thread>

#include "burin/kernels/check/operands.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/run.h"
#include "support/expect_error.h"

namespace burin {
namespace {

/// A small convolution that every family takes, in memory of its own.
struct Convolution {
  checks::Operands operands{Device::cpu()};
  Conv2dForward op;

  explicit Convolution(DType dtype = DType::f32) {
    op.x = operands.input(dtype, {1, 8, 5, 5}, Layout::nhwc);
    op.w = operands.input(dtype, {8, 8, 3, 3}, Layout::nhwc);
    op.y = operands.output(dtype, {1, 8, 3, 3}, Layout::nhwc);
  }
  Context context() { return Context{operands.stream()}; }
  std::string chosen() { return std::string(choose(op, context()).name); }
};

TEST(Dispatch, TheFirstOfTheListThatAcceptsAndPrefersRuns) {
  Convolution convolution;
  for (const Candidate& candidate : candidates(convolution.op, convolution.context())) {
    if (!candidate.prefers || candidate.only_when_named) continue;
    EXPECT_EQ(convolution.chosen(), candidate.name);
    return;
  }
  FAIL() << "no implementation accepts a plain f32 convolution";
}

TEST(Dispatch, ARuleForTheOpNamesOneImplementation) {
  Convolution convolution;
  const ImplGuard guard("conv2d=cpu/direct");
  EXPECT_EQ(convolution.chosen(), "cpu/direct");
}

TEST(Dispatch, ThePrefixOfAnOpCoversItsDirections) {
  const ImplGuard guard("conv2d=cpu/direct");
  for (const char* op : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight"}) {
    const detail::Plan plan = detail::plan_for(op, DeviceKind::cpu);
    ASSERT_EQ(plan.entries.size(), 1u) << op;
    EXPECT_EQ(plan.entries[0]->name, "cpu/direct") << op;
  }
}

TEST(Dispatch, AFamilyIsPreferredAndTheListGoesOnBehindIt) {
  const ImplGuard guard("cpu");
  const detail::Plan plan = detail::plan_for("conv2d_forward", DeviceKind::cpu);
  EXPECT_EQ(family_of(plan.entries.at(0)->name), "cpu");
  EXPECT_EQ(plan.entries.size(), registry().entries("conv2d_forward", DeviceKind::cpu).size());
  EXPECT_TRUE(plan.strict_rule.empty());
}

TEST(Dispatch, WhatHasACaveatRunsOnlyWhenNamedInFull) {
  int met = 0;
  for (const auto& [op, device] : registry().ops()) {
    for (const Registry::Entry& entry : registry().entries(op, device)) {
      if (entry.caveat.empty()) continue;
      ++met;
      const auto is_tried = [&entry, &op = op, device = device](const std::string& rules) {
        const ImplGuard guard(rules);
        const detail::Plan plan = detail::plan_for(op, device);
        return std::find(plan.entries.begin(), plan.entries.end(), &entry) != plan.entries.end();
      };
      const std::string family(family_of(entry.name));
      EXPECT_FALSE(is_tried("")) << entry.name;
      EXPECT_FALSE(is_tried(family)) << entry.name;
      EXPECT_FALSE(is_tried(op + "=" + family)) << entry.name;
      EXPECT_TRUE(is_tried(op + "=" + entry.name)) << entry.name;
    }
  }
  if (met == 0) GTEST_SKIP() << "no implementation has a caveat";
}

TEST(Dispatch, ARuleForTheOpBeatsAFamilyForAll) {
  Convolution convolution;
  for (const char* rules : {"cpu,conv2d=cpu/direct", "conv2d=cpu/direct,cpu"}) {
    const ImplGuard guard(rules);
    EXPECT_EQ(convolution.chosen(), "cpu/direct") << rules;
  }
}

TEST(Dispatch, GuardsNestAndTheInnermostWins) {
  Convolution convolution;
  const std::string before = convolution.chosen();
  {
    const ImplGuard outer("conv2d=cpu/direct");
    {
      const ImplGuard inner("conv2d=cpu/im2col");
      EXPECT_EQ(convolution.chosen(), "cpu/im2col");
      EXPECT_EQ(implementations_in_force(), "conv2d=cpu/im2col,conv2d=cpu/direct");
    }
    EXPECT_EQ(convolution.chosen(), "cpu/direct");
  }
  EXPECT_EQ(convolution.chosen(), before);
}

TEST(Dispatch, AGuardBeatsTheRulesOfTheProcess) {
  Convolution convolution;
  set_implementations("conv2d=cpu/im2col");
  EXPECT_EQ(convolution.chosen(), "cpu/im2col");
  {
    const ImplGuard guard("conv2d=cpu/direct");
    EXPECT_EQ(convolution.chosen(), "cpu/direct");
  }
  set_implementations("");
}

TEST(Dispatch, WhatIsNotThereIsSaidInWords) {
  expect_error([] { const ImplGuard guard("convolution=cpu"); }, "there is no op 'convolution'");
  expect_error([] { const ImplGuard guard("conv2d=cpu/fastest"); },
               "no implementation 'cpu/fastest' of conv2d; there are: cpu/depthwise, "
               "cpu/depthwise_seven, cpu/direct");
  expect_error([] { const ImplGuard guard("gpu"); }, "no implementation 'gpu'; there are: cpu");
}

TEST(Dispatch, ANamedOneThatRefusesFailsWithEveryReason) {
  Convolution convolution;
  convolution.op.y.dtype = DType::i32;
  const ImplGuard guard("conv2d=cpu/direct");
  expect_error([&] { convolution.chosen(); },
               "conv2d_forward: the implementation asked for with conv2d=cpu/direct does not run");
  expect_error([&] { convolution.chosen(); }, "\n  cpu/im2col: ");
}

class DispatchDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(DispatchDeathTest, TheEnvironmentIsTheWeakestPlaceForARule) {
  const auto choose_twice = [] {
    setenv("BURIN_IMPL", "conv2d=cpu/direct", 1);
    Convolution convolution;
    const std::string by_environment = convolution.chosen();
    set_implementations("conv2d=cpu/im2col");
    std::fputs(str(by_environment, " then ", convolution.chosen()).c_str(), stderr);
    std::_Exit(0);
  };
  EXPECT_EXIT(choose_twice(), testing::ExitedWithCode(0), "cpu/direct then cpu/im2col");
}

/// Runs f(index) on `count` threads that start together.
template <class F>
void on_threads(int count, const F& f) {
  std::latch start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      f(i);
    });
  }
}

// Under TSan this is the first test that runs, so the families load while four threads ask for
// them.
TEST(DispatchThreads, EachThreadHasItsOwnGuardsAndStream) {
  std::vector<std::string> chosen(4);
  std::vector<std::vector<double>> results(4);
  on_threads(4, [&](int i) {
    const ImplGuard guard(i % 2 == 0 ? "conv2d=cpu/direct" : "conv2d=cpu/im2col");
    Convolution convolution;
    for (int repeat = 0; repeat < 20; ++repeat) run(convolution.op, convolution.operands.stream());
    chosen[static_cast<size_t>(i)] = convolution.chosen();
    results[static_cast<size_t>(i)] = convolution.operands.read(convolution.op.y);
  });
  EXPECT_EQ(chosen,
            (std::vector<std::string>{"cpu/direct", "cpu/im2col", "cpu/direct", "cpu/im2col"}));
  EXPECT_EQ(results[0], results[2]);
  EXPECT_EQ(results[1], results[3]);
}

}  // namespace
}  // namespace burin
