// The door for plug-ins from outside: examples/my_kernel comes in, is held to the cases of its op
// and runs when named; what does not fit is refused in words.
#include "burin/kernels/plugin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "burin/kernels/check/case.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/range.h"

namespace burin {
namespace {

const Candidate* find(const std::vector<Candidate>& candidates, std::string_view name) {
  const auto found = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& one) { return one.name == name; });
  return found == candidates.end() ? nullptr : &*found;
}

TEST(MyKernel, MatchesTheDefinitionWhereItAccepts) {
  int checked = 0;
  for (const checks::OpCase* one : checks::cases_of("conv2d_forward")) {
    const std::vector<Candidate> candidates = one->candidates(Device::cpu(), checks::all_aligned);
    const Candidate* const mine = find(candidates, "my_kernel");
    ASSERT_NE(mine, nullptr);
    EXPECT_TRUE(mine->only_when_named);
    if (!mine->refusal.empty() || one->info.large) continue;
    const checks::Verdict verdict = one->check("my_kernel", Device::cpu(), checks::all_aligned);
    EXPECT_TRUE(verdict.passed) << one->info.problem << ' ' << one->info.layout << " ("
                                << one->info.why << "): " << verdict.message;
    ++checked;
  }
  EXPECT_GE(checked, 10) << "f32 cases without an epilogue";
}

/// A convolution of 1×1 images, all ones.
struct SmallConvolution {
  checks::Operands operands{Device::cpu()};
  Conv2dForward op;

  explicit SmallConvolution(DType dtype = DType::f32) {
    op.x = operands.input(dtype, {1, 2, 1, 1});
    op.w = operands.input(dtype, {3, 2, 1, 1});
    op.y = operands.output(dtype, {1, 3, 1, 1});
  }
  std::string_view chosen() { return choose(op, Context{operands.stream()}).name; }
};

TEST(MyKernel, RunsOnlyWhenNamed) {
  SmallConvolution convolution;
  EXPECT_NE(convolution.chosen(), "my_kernel");
  const ImplGuard guard("conv2d_forward=my_kernel");
  EXPECT_EQ(convolution.chosen(), "my_kernel");
}

TEST(MyKernel, PreferredItRunsWhereItAccepts) {
  const ImplGuard guard("my_kernel");
  EXPECT_EQ(SmallConvolution().chosen(), "my_kernel");
  SmallConvolution refused(DType::bf16);
  EXPECT_NE(refused.chosen(), "my_kernel");
}

TEST(MyKernel, NamedAndRefusingItFailsWithEveryReason) {
  SmallConvolution convolution(DType::bf16);
  const ImplGuard guard("conv2d_forward=my_kernel");
  try {
    convolution.chosen();
    FAIL() << "it does not know bf16";
  } catch (const Error& error) {
    const std::string_view message = error.what();
    EXPECT_NE(message.find("asked for with conv2d_forward=my_kernel"), message.npos) << message;
    EXPECT_NE(message.find("my_kernel: dtype bf16: it knows f32 only"), message.npos) << message;
    EXPECT_NE(message.find("cpu"), message.npos) << message;
  }
}

/// Loads `plugins` in a process of its own and ends it with the error's message on stderr.
[[noreturn]] void load_and_exit(const char* plugins) {
  setenv("BURIN_PLUGINS", plugins, 1);
  try {
    registry();
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(3);
  }
  std::_Exit(0);
}

class PluginDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(PluginDeathTest, AnotherContractsHashIsRefused) {
  EXPECT_EXIT(load_and_exit(OTHER_CONTRACTS), testing::ExitedWithCode(3),
              str("was not loaded: it was built for burin ", release,
                  " .contracts 0123456789abcdef., this is burin ", release, " .contracts ",
                  contracts_hash, ".: build it again"));
}

TEST_F(PluginDeathTest, OneThatCannotWorkHereSaysWhy) {
  EXPECT_EXIT(load_and_exit(UNAVAILABLE), testing::ExitedWithCode(3),
              "was not loaded: it needs an abacus, and there is none");
}

TEST_F(PluginDeathTest, ALibraryThatIsNoPluginIsRefused) {
  EXPECT_EXIT(load_and_exit("libm.so.6"), testing::ExitedWithCode(3),
              "it exports no burin_plugin..: not a burin plug-in");
}

TEST_F(PluginDeathTest, AMissingFileIsNamed) {
  EXPECT_EXIT(load_and_exit("/no/such/libmine.so"), testing::ExitedWithCode(3),
              "BURIN_PLUGINS: /no/such/libmine.so was not loaded: .*No such file");
}

/// Ranges on the device that the plug-in brings, in a process of its own.
[[noreturn]] void profile_and_exit(const char* wanted) {
  setenv("BURIN_PLUGINS", PROFILED_DEVICE, 1);
  setenv("BURIN_NVTX", wanted, 1);
  try {
    check(runtime_of(Device::cuda()).describe(0) == "a device that is profiled",
          "a GPU's own runtime comes first");
    const Range step(Device::cuda(), "step");
    const Range forward(Device::cuda(), "forward");
    fail("out of memory");
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
  }
  std::_Exit(0);
}

// They nest, and end where an error ends them.
TEST_F(PluginDeathTest, ItsDeviceIsToldTheRangesOfAProfile) {
  EXPECT_EXIT(profile_and_exit("1"), testing::ExitedWithCode(0),
              "^(a GPU's own runtime comes first|step begins, forward begins, one ends, one ends, "
              "out of memory)$");
  EXPECT_EXIT(profile_and_exit("0"), testing::ExitedWithCode(0),
              "^(a GPU's own runtime comes first|out of memory)$");
}

}  // namespace
}  // namespace burin
