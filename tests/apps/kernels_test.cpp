// burin kernels: the table, the reasons, and the check that it runs.
#include <gtest/gtest.h>

#include "apps/run_burin.h"
#include "burin/apps/exit.h"

namespace burin {
namespace {

TEST(Kernels, TableListsEveryImplementationInOrder) {
  const Ran ran = run_burin("kernels");
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("activation_forward"), std::string::npos);
  EXPECT_NE(ran.out.find("cpu/direct"), std::string::npos);
  EXPECT_LT(ran.out.find("cpu/im2col"), ran.out.find("cpu/direct")) << "fastest first";
}

TEST(Kernels, WhyNamesFamiliesPlacesAndReasons) {
  const Ran ran = run_burin("kernels conv2d --why");
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("x86-64-v"), std::string::npos);
  EXPECT_NE(ran.out.find("conv2d_backward_weight on cpu, tried in this order:"), std::string::npos);
  EXPECT_NE(ran.out.find("  place 90  cpu/direct: accepts"), std::string::npos);
}

TEST(Kernels, CheckPassesForEveryOpOfTheCpuFamily) {
  const Ran ran = run_burin("kernels check --impl cpu --progress none");
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.out << ran.err;
  EXPECT_NE(ran.out.find(" 0 failed; worst"), std::string::npos);
  EXPECT_EQ(ran.out.find("onednn"), std::string::npos);
  EXPECT_EQ(ran.err, "");
}

TEST(Kernels, CheckTakesOneImplementationOfOneOp) {
  const Ran ran = run_burin("kernels check conv2d_forward --impl conv2d=cpu/direct");
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("cpu/direct"), std::string::npos);
  EXPECT_EQ(ran.out.find("cpu/im2col"), std::string::npos);
}

TEST(Kernels, APlugInShowsUpAndIsHeldToTheCases) {
  const std::string plugin = "BURIN_PLUGINS='" MY_KERNEL "'";
  const Ran table = run_burin("kernels", plugin);
  EXPECT_NE(table.out.find("my_kernel"), std::string::npos) << table.err;
  const Ran why = run_burin("kernels conv2d_forward --why", plugin);
  EXPECT_NE(why.out.find("my_kernel  (a plug-in of the user"), std::string::npos) << why.out;
  const Ran check = run_burin("kernels check conv2d --impl my_kernel", plugin);
  EXPECT_EQ(check.code, apps::exit_ok) << check.out << check.err;
  EXPECT_EQ(check.out.find("cpu/"), std::string::npos) << "only the one named is checked";

  const Ran without = run_burin("kernels check conv2d --impl my_kernel");
  EXPECT_EQ(without.code, apps::exit_usage);
  const Ran nothing = run_burin("kernels check matmul --impl my_kernel", plugin);
  EXPECT_EQ(nothing.code, apps::exit_failed);
  EXPECT_NE(nothing.err.find("no implementation was run"), std::string::npos) << nothing.err;
  const Ran of_a_gpu = run_burin("kernels check matmul --impl cuda/warpgroup");
  EXPECT_NE(of_a_gpu.err.find("hint: without a GPU, --device emulator"), std::string::npos)
      << of_a_gpu.err;
}

TEST(Kernels, ADeviceThatIsNotThereIsItsOwnExitCode) {
  const Ran ran = run_burin("kernels check activation --device emulator");
  if (ran.code == apps::exit_ok) GTEST_SKIP() << "the emulator is there";
  EXPECT_EQ(ran.code, apps::exit_no_device);
  EXPECT_EQ(ran.err.substr(0, 42), "burin kernels: error: --device emulator: f");
  EXPECT_EQ(run_burin("kernels --device gpu").code, apps::exit_usage);
}

TEST(Kernels, BenchPrintsTimeAndRates) {
  const Ran ran = run_burin("kernels bench matmul --impl cpu/eigen --seconds 0.01");
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("GFLOP/s"), std::string::npos);
}

}  // namespace
}  // namespace burin
