// Kernels and emulator under ASan: what reaches beyond global or shared memory is named with its
// line, block and thread.
#include <gtest/gtest.h>

#include "emulator/support.h"

namespace burin {
namespace {

void expect_death(const std::string& bug, const std::string& thread) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Board board;
  // In this order: __asan_on_error speaks before the report.
  const std::string expected = "in " + thread + "(.|\n)*" + place_of(bug);
  EXPECT_DEATH(board.run(bug), expected);
}

TEST(AsanDeathTest, GlobalMemoryPastItsEnd) {
  expect_death("global past end", "block \\(4,0,0\\) thread \\(0,0,0\\)");
}
TEST(AsanDeathTest, SharedMemoryPastItsEnd) {
  expect_death("shared past end", "block \\(0,0,0\\) thread \\(63,0,0\\)");
}
TEST(AsanDeathTest, DynamicSharedMemoryPastItsEnd) {
  expect_death("dynamic past end", "block \\(0,0,0\\) thread \\(63,0,0\\)");
}
TEST(Asan, IsSilentAboutKernelsThatStayInside) {
  Board board;
  EXPECT_EQ(board.complaint("missing barrier, mended"), "nothing was noticed");
  EXPECT_EQ(board.complaint("divergent barrier").substr(0, 5), "block");  // abandoned fibers too
  EXPECT_EQ(board.complaint("add one"), "nothing was noticed");
}

}  // namespace
}  // namespace burin
