// What the emulator shows that a CPU device would hide: wrong barriers and masks, dependence on the
// order of threads, streams that run late, memory the host can't touch.
#include <gtest/gtest.h>

#include <algorithm>

#include "emulator/support.h"
#include "support/expect_error.h"

namespace burin {
namespace {

void expect_complaint(const std::string& bug, const std::vector<std::string>& parts) {
  Board board;
  const std::string complaint = board.complaint(bug);
  for (const std::string& part : parts) {
    EXPECT_NE(complaint.find(part), std::string::npos) << "no '" << part << "' in\n" << complaint;
  }
  board.run("add one");  // the device goes on
}

TEST(Emulator, NamesTheThreadsOfADivergentBarrier) {
  expect_complaint("divergent barrier",
                   {"block (0,0,0) can't go on",
                    "32 threads wait at __syncthreads() " + place_of("divergent barrier") +
                        ": (0,0,0) .. (31,0,0)",
                    "32 threads have returned: (32,0,0) .. (63,0,0)"});
}

TEST(Emulator, NamesTwoBarriersThatAreNotOne) {
  expect_complaint("two barriers", {"threads of one block wait at different barriers",
                                    place_of("two barriers"), "block (0,0,0) thread (32,0,0)"});
}

TEST(Emulator, NamesAShuffleThatSomeLanesLeaveOut) {
  expect_complaint("divergent shuffle",
                   {"20 threads wait at __shfl_down_sync() " + place_of("divergent shuffle") +
                        " mask 0xffffffff: (0,0,0) .. (19,0,0)",
                    "12 threads have returned: (20,0,0) .. (31,0,0)"});
}

TEST(Emulator, NamesAMaskWithoutTheCaller) {
  expect_complaint("bad mask", {"the mask leaves out the lane that calls: __shfl_sync() at " +
                                place_of("bad mask") + " in block (0,0,0) thread (3,0,0)"});
}

TEST(Emulator, NamesLanesInDifferentFunctions) {
  expect_complaint("different functions",
                   {"lanes of one warp wait at different warp functions",
                    place_of("different functions"), "block (0,0,0) thread (31,0,0)"});
}

TEST(Emulator, NamesAThreadThatDoesNotWaitForTheLaunchBefore) {
  expect_complaint("forgets to wait", {"block (0,0,0) thread (5,0,0) returned without "
                                       "cudaGridDependencySynchronize()"});
  expect_complaint("lets begin too early",
                   {"the next launch may begin before this one has waited",
                    place_of("lets begin too early"), "block (0,0,0) thread (0,0,0)"});
}

TEST(Emulator, RunsTheBlocksOfAClusterTogether) {
  for (const char* const order : {"forward", "reverse", "shuffled"}) {
    const Environment environment("BURIN_EMULATOR_ORDER", order);
    Board board;
    board.run("missing cluster sync, mended");
    board.download();
    EXPECT_EQ(board.values[5], 32 + 5);
    EXPECT_EQ(board.values[32 + 5], 5);
    EXPECT_EQ(board.values[64 + 5], 96 + 5);
  }
}

TEST(Emulator, NamesWhatABlockMayNotDoToItsCluster) {
  expect_complaint("maps too early", {"before a cluster.sync() that block may not have begun",
                                      place_of("maps too early"), "block (0,0,0) thread (0,0,0)"});
  expect_complaint("ends too early", {"block (0,0,0) may have ended while others of its cluster "
                                      "read its shared memory"});
  expect_complaint("leaves the cluster",
                   {"blocks of one cluster have ended, others wait for it", "block (0,0,0)",
                    "32 threads wait at cluster.sync() " + place_of("leaves the cluster") +
                        ": (0,0,0) .. (31,0,0)"});
}

TEST(Emulator, RunsTheBlocksOfACooperativeGridTogether) {
  for (const char* const order : {"forward", "reverse", "shuffled"}) {
    const Environment environment("BURIN_EMULATOR_ORDER", order);
    Board board;
    board.run("missing grid sync, mended");
    board.download();
    EXPECT_EQ(board.values[4 * 32 + 5], 32 + 5 + 1);
    EXPECT_EQ(board.values[7 * 32 + 5], 5 + 1);
  }
}

TEST(Emulator, NamesWhatABlockMayNotDoToItsGrid) {
  expect_complaint(
      "leaves the grid",
      {"blocks of one grid have ended, others wait for it", "block (0,0,0)",
       "32 threads wait at grid.sync() " + place_of("leaves the grid") + ": (0,0,0) .. (31,0,0)"});
  expect_complaint("waits for the grid", {"grid.sync()", "the launch is not cooperative",
                                          place_of("waits for the grid"), "block (0,0,0)"});
}

TEST(Emulator, RefusesWhatAGpuRefuses) {
  expect_complaint("grid too large", {"at most 8 blocks can wait for each other, not 9"});
  expect_complaint("cluster does not fit",
                   {"clusters of 3×1×1 blocks do not fill a grid of 4×1×1"});
  expect_complaint("cluster too large", {"a cluster has 1 to 8 blocks, not 16×1×1"});
  expect_complaint("too many rows of blocks", {"a grid of 1×65536×1 blocks is not possible"});
  expect_complaint("too many threads", {"a block has 1 to 1024 threads, not 2048"});
  expect_complaint("too much shared memory", {"a block has at most 232448 bytes of shared memory"});
}

TEST(Emulator, RunsThreadsInTheOrderAskedFor) {
  const auto order = [](const char* name) {
    const Environment environment("BURIN_EMULATOR_ORDER", name);
    Board board;
    board.values[0] = 0;
    board.upload();
    board.run("record order");
    board.download();
    return std::vector<float>(board.values.begin() + 1, board.values.begin() + 129);
  };
  std::vector<float> turns(128);
  for (size_t i = 0; i < turns.size(); ++i) turns[i] = static_cast<float>(i);
  EXPECT_EQ(order("forward"), turns);
  std::vector<float> shuffled = order("shuffled");
  EXPECT_NE(shuffled, turns);
  std::reverse(turns.begin(), turns.end());
  EXPECT_EQ(order("reverse"), turns);
  std::sort(shuffled.begin(), shuffled.end());
  std::reverse(turns.begin(), turns.end());
  EXPECT_EQ(shuffled, turns);
}

TEST(Emulator, ComputesWhatCudasFunctionsDo) {
  const auto results = [](const char* name, std::ptrdiff_t count) {
    Board board;
    board.run(name);
    board.download();
    return std::vector<float>(board.values.begin(), board.values.begin() + count);
  };
  EXPECT_EQ(results("device functions", 15),
            (std::vector<float>{8, 31, 4, 0, 3, 2, 100, 1, 1 + 0x1p-23f, 0x1p-24f, 0, 1.5f, 0.25f,
                                1.5f, 1}));
  EXPECT_EQ(results("atomics", 8), (std::vector<float>{2016, 63, -63, 255, 5, 1, 5, 1}));
}

TEST(Emulator, LateStreamsShowAStagingBufferThatIsReusedTooSoon) {
  const Environment environment("BURIN_EMULATOR_STREAMS", "late");
  Board board;
  auto* const staging = static_cast<float*>(board.runtime.allocate_host(128));
  std::fill(staging, staging + 32, 5.0f);
  board.runtime.copy(*board.stream, board.x, Device::emulator(), staging, Device::cpu(), 128);
  std::fill(staging, staging + 32, 7.0f);  // before the copy has been waited for
  board.download();
  EXPECT_EQ(board.values[0], 7.0f);
  board.runtime.free_host(staging);
}

TEST(Emulator, OrdinaryHostMemoryMayBeReusedAtOnce) {
  const Environment environment("BURIN_EMULATOR_STREAMS", "late");
  Board board;
  std::vector<float> values(32, 5.0f);
  board.runtime.copy(*board.stream, board.x, Device::emulator(), values.data(), Device::cpu(), 128);
  std::fill(values.begin(), values.end(), 7.0f);
  board.download();
  EXPECT_EQ(board.values[0], 5.0f);
}

TEST(Emulator, ARecordedStepMayNotReadOrdinaryHostMemory) {
  Board board;
  const std::vector<float> values(32, 5.0f);
  board.runtime.begin_recording(*board.stream);
  EXPECT_THROW(board.runtime.copy(*board.stream, board.x, Device::emulator(), values.data(),
                                  Device::cpu(), 128),
               Error);
  board.runtime.end_recording(*board.stream);
}

TEST(Emulator, MemoryMayNotBeGivenBackWhileWorkIsRecorded) {
  Board board;
  void* const more = board.runtime.allocate(0, 128);
  board.runtime.begin_recording(*board.stream);
  board.runtime.free(0, more);
  board.runtime.end_recording(*board.stream);
  EXPECT_THROW(board.runtime.synchronize(*board.stream), Error);
  board.runtime.synchronize(*board.stream);  // said once
}

TEST(Emulator, LateStreamsShowAMissingOrderBetweenStreams) {
  const Environment environment("BURIN_EMULATOR_STREAMS", "late");
  for (const bool ordered : {false, true}) {
    Board board;
    const auto other = board.runtime.make_stream(0);
    run_planted("add one", board.x, *other);
    if (ordered) board.runtime.order(*board.stream, *other);
    board.download();
    EXPECT_EQ(board.values[1], ordered ? 2.0f : 1.0f);
    board.runtime.synchronize(*other);
  }
}

TEST(Emulator, RecordedWorkRunsWhenReplayed) {
  for (const char* const mode : {"immediate", "late"}) {
    const Environment environment("BURIN_EMULATOR_STREAMS", mode);
    Board board;
    board.runtime.begin_recording(*board.stream);
    run_planted("add one", board.x, *board.stream);
    run_planted("add one", board.x, *board.stream);
    EXPECT_THROW(board.runtime.synchronize(*board.stream), Error);
    const auto recording = board.runtime.end_recording(*board.stream);
    board.download();
    EXPECT_EQ(board.values[1], 1.0f);
    for (int i = 0; i < 3; ++i) board.runtime.replay(*recording, *board.stream);
    board.download();
    EXPECT_EQ(board.values[1], 7.0f);
  }
}

TEST(Emulator, CountsTheHostsWaits) {
  Board board;
  const int64_t before = board.runtime.host_waits(0);
  run_planted("add one", board.x, *board.stream);
  EXPECT_EQ(board.runtime.host_waits(0), before);
  board.runtime.synchronize(*board.stream);
  EXPECT_EQ(board.runtime.host_waits(0), before + 1);
}

TEST(Emulator, NothingRunsBehindAKernelThatFailed) {
  const Environment environment("BURIN_EMULATOR_STREAMS", "late");
  Board board;
  run_planted("divergent barrier", board.x, *board.stream);
  float value = -1;
  board.runtime.copy(*board.stream, &value, Device::cpu(), board.x + 5, Device::emulator(),
                     sizeof value);
  EXPECT_THROW(board.runtime.synchronize(*board.stream), Error);
  board.runtime.synchronize(*board.stream);
  EXPECT_EQ(value, -1);
}

TEST(Emulator, AMarkWaitsForWhatWasQueuedBeforeIt) {
  const Environment environment("BURIN_EMULATOR_STREAMS", "late");
  Board board;
  const auto copy = [&](float* to, const float* from) {
    board.runtime.copy(*board.stream, to, Device::cpu(), from, Device::emulator(), sizeof(float));
  };
  float before = 0, behind = 0;
  copy(&before, board.x + 5);
  const auto mark = board.runtime.mark(*board.stream);
  copy(&behind, board.x + 7);
  const int64_t waits = board.runtime.host_waits(0);
  board.runtime.wait(*mark);
  EXPECT_EQ(before, 5);
  EXPECT_EQ(behind, 0);
  EXPECT_EQ(board.runtime.host_waits(0), waits + 1);
  board.runtime.wait(*mark);  // it has ended
  EXPECT_EQ(board.runtime.host_waits(0), waits + 1);
  board.runtime.synchronize(*board.stream);
}

TEST(Emulator, OutOfMemoryIsAnExceptionAndWorkGoesOn) {
  const Environment environment("BURIN_EMULATOR_MEMORY_MB", "64");
  Board board;
  EXPECT_THROW(board.runtime.allocate(0, size_t{65} << 20), OutOfMemory);
  void* const data = board.runtime.allocate(0, size_t{32} << 20);
  EXPECT_THROW(board.runtime.allocate(0, size_t{33} << 20), OutOfMemory);
  board.runtime.free(0, data);
  board.runtime.free(0, board.runtime.allocate(0, size_t{60} << 20));
}

TEST(Emulator, RefusesAnAmountOfMemoryThatIsNone) {
  for (const char* const amount : {"abc", "64MB", "-1", "0"}) {
    const Environment environment("BURIN_EMULATOR_MEMORY_MB", amount);
    expect_error([] { Board().runtime.allocate(0, 1); },
                 str("BURIN_EMULATOR_MEMORY_MB: '", amount, "' is no number of MiB"));
  }
}

TEST(EmulatorDeathTest, TheHostCantReadDeviceMemory) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Board board;
  EXPECT_EXIT(
      {
        const volatile float* const x = board.x;
        const float value = *x;
        static_cast<void>(value);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace burin
