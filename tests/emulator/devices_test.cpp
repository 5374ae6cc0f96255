// Several emulated devices: what they have of their own, and what goes wrong where two meet.
#include <gtest/gtest.h>

#include "emulator/support.h"
#include "support/expect_error.h"

namespace burin {
namespace {

class EmulatedDevices : public testing::Test {
 protected:
  const Environment devices{"BURIN_EMULATOR_DEVICES", "2"};
};

/// Streams that run what is queued at once, and as late as can be.
class EmulatedDevicesInAnyStream : public testing::TestWithParam<const char*> {
 protected:
  const Environment devices{"BURIN_EMULATOR_DEVICES", "2"};
  const Environment streams{"BURIN_EMULATOR_STREAMS", GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Streams, EmulatedDevicesInAnyStream, testing::Values("immediate", "late"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(EmulatedDevicesInAnyStream, AKernelThatTouchesAnotherDevicesMemoryIsReported) {
  Board first(0), second(1);
  EXPECT_EQ(first.complaint("add one", second.x),
            "block (0,0,0) thread (0,0,0) reads memory of emulator:1, its kernel runs on emulator");
  EXPECT_EQ(
      second.complaint("global past end", first.x + 5),
      "block (0,0,0) thread (0,0,0) writes memory of emulator, its kernel runs on emulator:1");
  for (Board* const board : {&first, &second}) {  // both go on, and nothing was written
    board->run("add one");
    board->download();
    EXPECT_EQ(board->values[5], 6);
  }
}

// Work that another device's stream waits for runs in the middle of that stream's.
TEST_P(EmulatedDevicesInAnyStream, AKernelIsReportedWhileAnotherDeviceWaitsForIt) {
  Board first(0), second(1);
  const auto wrong = [&] {
    run_planted("add one", second.x, *first.stream);
    first.runtime.order(*second.stream, *first.stream);
    second.run("add one");
  };
  expect_error(wrong, "reads memory of emulator:1, its kernel runs on emulator");
}

TEST_P(EmulatedDevicesInAnyStream, CopyBetweenThem) {
  Board first(0), second(1);
  run_planted("add one", first.x, *first.stream);
  // On the stream of who is read, and of who is written, when the other is done.
  first.runtime.copy(*first.stream, second.x, second.device, first.x, first.device, 4 * 32);
  first.runtime.order(*second.stream, *first.stream);
  run_planted("add one", second.x, *second.stream);
  first.runtime.order(*first.stream, *second.stream);
  first.runtime.copy(*first.stream, first.x, first.device, second.x, second.device, 4 * 32);
  first.download();
  EXPECT_EQ(first.values[5], 7);
  EXPECT_EQ(first.values[50], 50);
}

TEST_P(EmulatedDevicesInAnyStream, ARecordingIsReplayedOnItsOwn) {
  Board first(0), second(1);
  second.runtime.begin_recording(*second.stream);
  run_planted("add one", second.x, *second.stream);
  run_planted("add one", first.x, *first.stream);  // of another device: not recorded
  const auto recording = second.runtime.end_recording(*second.stream);
  for (int i = 0; i < 3; ++i) second.runtime.replay(*recording, *second.stream);
  first.download();
  second.download();
  EXPECT_EQ(first.values[1], 2);
  EXPECT_EQ(second.values[1], 4);
}

TEST_P(EmulatedDevicesInAnyStream, AStreamThatGoesEndsItsWork) {
  Board first(0), second(1);
  auto stream = second.runtime.make_stream(1);
  run_planted("add one", second.x, *stream);
  const auto mark = second.runtime.mark(*stream);
  second.runtime.order(*first.stream, *stream);
  stream.reset();
  second.runtime.wait(*mark);
  first.runtime.synchronize(*first.stream);
  second.download();
  EXPECT_EQ(second.values[1], 2);
}

TEST_F(EmulatedDevices, MemoryThatIsFreedWaitsForItsOwnDeviceOnly) {
  const Environment streams("BURIN_EMULATOR_STREAMS", "late");
  Board first(0), second(1);
  float of_first = 0, of_second = 0;
  first.runtime.copy(*first.stream, &of_first, Device::cpu(), first.x + 3, first.device, 4);
  second.runtime.copy(*second.stream, &of_second, Device::cpu(), second.x + 3, second.device, 4);
  first.runtime.free(1, first.runtime.allocate(1, 64));
  EXPECT_EQ(of_first, 0);
  EXPECT_EQ(of_second, 3);
}

TEST_F(EmulatedDevices, EachHasItsOwnMemory) {
  const Environment limit("BURIN_EMULATOR_MEMORY_MB", "64");
  Board first(0), second(1);
  DeviceRuntime& runtime = first.runtime;
  const size_t most = size_t{60} << 20;
  void* const of_first = runtime.allocate(0, most);
  void* const of_second = runtime.allocate(1, most);
  EXPECT_LT(runtime.free_bytes(0), size_t{4} << 20);
  expect_error([&] { runtime.allocate(1, most); }, "emulator:1: no memory for 62914560 bytes");
  runtime.free(0, of_first);
  EXPECT_GT(runtime.free_bytes(0), most);
  EXPECT_LT(runtime.free_bytes(1), size_t{4} << 20);
  runtime.free(1, of_second);
}

TEST_F(EmulatedDevices, CountTheHostsWaitsEach) {
  Board first(0), second(1);
  const int64_t of_first = first.runtime.host_waits(0), of_second = first.runtime.host_waits(1);
  second.runtime.synchronize(*second.stream);
  EXPECT_EQ(first.runtime.host_waits(0), of_first);
  EXPECT_EQ(first.runtime.host_waits(1), of_second + 1);
}

TEST_F(EmulatedDevices, AStreamOfAnotherDeviceThanTheCurrentOneIsRefused) {
  Board first(0), second(1);
  EXPECT_EQ(first.complaint("another current device"),
            "launch: the stream is one of emulator, the thread's current device is emulator:1");
  EXPECT_EQ(second.complaint("another current device"),
            "launch: the stream is one of emulator:1, the thread's current device is emulator");
  first.run("add one");
}

TEST_F(EmulatedDevices, OneThatIsNotThereIsRefused) {
  expect_error([] { runtime_of(Device::emulator(2)); },
               "device: emulator:2 is not available: there are 2 of this kind");
  expect_error([] { runtime_of(Device::emulator(-1)); }, "device: emulator:-1 is not available");
  const Environment one("BURIN_EMULATOR_DEVICES", "1");
  expect_error([] { runtime_of(Device::emulator(1)); },
               "device: emulator:1 is not available: there is 1 of this kind");
}

TEST(EmulatedDevicesCount, IsANumberUpTo16) {
  for (const char* const count : {"two", "0", "-1", "17", "2x", "99999999999"}) {
    const Environment environment("BURIN_EMULATOR_DEVICES", count);
    expect_error([] { runtime_of(Device::emulator()); },
                 str("BURIN_EMULATOR_DEVICES: '", count, "' is no number from 1 to 16"));
  }
  const Environment most("BURIN_EMULATOR_DEVICES", "16");
  EXPECT_EQ(runtime_of(Device::emulator()).count(), 16);
}

}  // namespace
}  // namespace burin
