// The race check, in a program whose kernels are compiled with -fsanitize=thread: each planted bug
// is named with its line, block and threads; kernels without one pass.
#include <gtest/gtest.h>

#include "emulator/support.h"

namespace burin {
namespace {

void expect_complaint(const std::string& bug, const std::vector<std::string>& parts) {
  Board board;
  const std::string complaint = board.complaint(bug);
  for (const std::string& part : parts) {
    EXPECT_NE(complaint.find(part), std::string::npos) << "no '" << part << "' in\n" << complaint;
  }
}

TEST(RaceCheck, NamesAMissingBarrier) {
  expect_complaint("missing barrier", {"in shared memory", "block (0,0,0) thread (",
                                       "at " + place_of("missing barrier"), "no barrier between"});
}
TEST(RaceCheck, NamesAMissingSyncwarp) {
  expect_complaint("missing syncwarp", {"in shared memory", "block (0,0,0) thread (",
                                        "at " + place_of("missing syncwarp")});
}
TEST(RaceCheck, NamesBlocksThatAddWithoutAnAtomic) {
  expect_complaint("plain add",
                   {"in global memory\n  block (1,0,0) thread (0,0,0) at " + place_of("plain add"),
                    "another block at " + place_of("plain add")});
}
TEST(RaceCheck, NamesBlocksOfAClusterThatDoNotWaitForEachOther) {
  for (const char* const order : {"forward", "reverse"}) {
    const Environment environment("BURIN_EMULATOR_ORDER", order);
    expect_complaint("missing cluster sync", {"in shared memory\n  block (", "another block at ",
                                              place_of("missing cluster sync")});
    expect_complaint("missing cluster sync, mended", {"nothing was noticed"});
  }
}
TEST(RaceCheck, NamesBlocksOfAGridThatDoNotWaitForEachOther) {
  for (const char* const order : {"forward", "reverse"}) {
    const Environment environment("BURIN_EMULATOR_ORDER", order);
    expect_complaint("missing grid sync", {"in global memory\n  block (", "another block at ",
                                           place_of("missing grid sync")});
    expect_complaint("missing grid sync, mended", {"nothing was noticed"});
  }
}
TEST(RaceCheck, NamesSharedMemoryThatWasNeverWritten) {
  expect_complaint("unwritten shared",
                   {"a read of what was never written in shared memory\n  block (0,0,0) thread "
                    "(63,0,0) at " +
                    place_of("unwritten shared")});
}
TEST(RaceCheck, NamesAReadOfWhatTheLaunchBeforeMayStillWrite) {
  expect_complaint(
      "reads too early",
      {"a read after a write in global memory\n  block (0,0,0) thread (",
       "at " + place_of("reads too early"), "the launch before at planted.cu:", "no wait for it"});
}
TEST(RaceCheck, IsSilentAboutKernelsWithoutARace) {
  for (const char* const name :
       {"missing barrier, mended", "missing syncwarp, mended", "waits first", "add one"}) {
    Board board;
    EXPECT_EQ(board.complaint(name), "nothing was noticed") << name;
  }
}

}  // namespace
}  // namespace burin
