#include "burin/tensor/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <sstream>
#include <string_view>
#include <thread>

#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/shape.h"
#include "support/environment.h"
#include "support/expect_error.h"

namespace burin {
namespace {

std::vector<float> iota(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST(Tensor, KeepsLogicalOrderInEveryLayout) {
  const std::vector<float> values = iota(2 * 3 * 4 * 5);
  const Tensor x = Tensor::from(values, {2, 3, 4, 5}, {.layout = Layout::nhwc});
  EXPECT_EQ(x.strides(), Strides({60, 1, 15, 3}));
  EXPECT_EQ(x.to_vector<float>(), values);
  EXPECT_EQ(to_layout(x, Layout::nchw).to_vector<float>(), values);
}

TEST(Tensor, ConvertsAndReadsBack) {
  const Tensor x = Tensor::from(std::vector<float>{1.5f, -2.25f, 3}, {3}, {DType::bf16});
  EXPECT_EQ(x.dtype(), DType::bf16);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1.5f, -2.25f, 3}));
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(full({}, 16777217, {DType::i32}).item(), 16777217);  // which no f32 is
}

TEST(Tensor, ViewsShareAndCopiesDoNot) {
  Tensor x = Tensor::from(iota(6), {2, 3});
  const Tensor view = slice(x, 0, 1, 2);
  const Tensor copy = clone(view);
  copy_into(x, zeros({2, 3}));
  EXPECT_EQ(view.to_vector<float>(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(copy.to_vector<float>(), (std::vector<float>{3, 4, 5}));
}

TEST(Tensor, EveryWriteBumpsTheVersion) {
  Tensor x = zeros({2});
  const ContentKey before = x.view().key;
  copy_into(x, full({2}, 1));
  EXPECT_EQ(x.view().key.storage, before.storage);
  EXPECT_GT(x.view().key.version, before.version);
}

TEST(Tensor, ErrorsNameTheValues) {
  expect_error(
      [] {
        Tensor::from(std::vector<float>{1, 2}, {3});
      },
      "shape [3] has 3 elements, 2 values were given");
  expect_error([] { (void)zeros({2}).item(); }, "the tensor has shape [2], not one element");
  expect_error([] { (void)Tensor().shape(); }, "an undefined tensor was used");
  expect_error([] { zeros({2, -1}); }, "has a negative extent");
  expect_error([] { (void)zeros({2, 3}).dim(2); }, "there is no dimension 2 of [2, 3]");
  expect_error([] { (void)zeros({2, 3}).dim(-3); }, "there is no dimension -3 of [2, 3]");
}

TEST(Tensor, RefusesMoreThanCanBeCounted) {
  constexpr int64_t big = int64_t{1} << 32;
  expect_error([] { empty({big, big}); }, "has more elements than 64 bits count");
  expect_error([] { empty({0, big, big}); }, "has more elements than 64 bits count");
  expect_error([] { empty({big, big / 4}); }, "has more bytes than can be addressed");
  expect_error([] { expand(zeros({1}), {big, big}); }, "has more elements than 64 bits count");
#if !defined(__SANITIZE_ADDRESS__)  // which ends the process at such a request
  EXPECT_THROW(empty({int64_t{1} << 50}), OutOfMemory);
#endif
}

TEST(Tensor, ReshapesWhatIsEmpty) {
  EXPECT_EQ(flatten(zeros({0, 3, 4})).shape(), Shape({0, 12}));
  EXPECT_EQ(flatten(zeros({2, 0})).shape(), Shape({2, 0}));
  EXPECT_EQ(reshape(zeros({2, 0}), {-1, 3}).shape(), Shape({0, 3}));
}

TEST(Tensor, RefusesExtentsThatAreNone) {
  expect_error([] { reshape(zeros({2, 3}), {-2, -3}); }, "reshape: [-2, -3] has a negative extent");
  expect_error([] { reshape(zeros({0}), {0, -1}); }, "beside an extent of 0 any extent would do");
  expect_error([] { expand(zeros({1}), {3, -1}); }, "expand: [1] does not stretch to [3, -1]");
  expect_error([] { flatten(zeros({})); }, "flatten: a scalar");
}

TEST(Tensor, PrintsItself) {
  std::ostringstream out;
  out << Tensor::from(iota(4), {2, 2});
  EXPECT_EQ(out.str(), "Tensor f32 [2, 2] cpu\n[[0, 1],\n[2, 3]]");
}

class Allocator : public testing::Test {
 protected:
  void SetUp() override {
    const char* const kind = std::getenv("BURIN_ALLOCATOR");
    if (kind != nullptr && std::string_view(kind) == "plain") GTEST_SKIP() << "caching is off";
  }
};

TEST_F(Allocator, ReachesTheDeviceOnlyOnce) {
  const auto allocator = allocator_of(Device::cpu());
  const auto work = [] {
    for (int i = 1; i < 20; ++i) zeros({i * 1000});
  };
  work();
  const int64_t before = allocator->stats().device_allocations;
  for (int i = 0; i < 10; ++i) work();
  EXPECT_EQ(allocator->stats().device_allocations, before);
}

TEST_F(Allocator, SplitsAndJoinsBlocks) {
  CachingAllocator allocator(Device::cpu());
  const Stream stream(Device::cpu());
  constexpr size_t mib = size_t{1} << 20;
  void* const whole = allocator.allocate(64 * mib, stream);
  allocator.free(whole);
  void* const a = allocator.allocate(20 * mib, stream);
  void* const b = allocator.allocate(30 * mib, stream);
  void* const c = allocator.allocate(14 * mib, stream);
  EXPECT_EQ(allocator.stats().held_bytes, 64 * mib);
  allocator.free(a);
  allocator.free(c);
  allocator.free(b);  // joins with both neighbours
  EXPECT_EQ(allocator.allocate(64 * mib, stream), whole);
  EXPECT_EQ(allocator.stats().device_allocations, 1);
  allocator.free(whole);
  allocator.release_cached();
  EXPECT_EQ(allocator.stats().held_bytes, 0u);
}

TEST_F(Allocator, GrowsInOnePieceOnTheCpu) {
  CachingAllocator allocator(Device::cpu());
  const Stream stream(Device::cpu());
  constexpr size_t mib = size_t{1} << 20;
  void* const a = allocator.allocate(3 * mib, stream);
  void* const b = allocator.allocate(5 * mib, stream);
  EXPECT_EQ(b, static_cast<std::byte*>(a) + 3 * mib);
  allocator.free(a);
  allocator.free(b);
  void* const whole = allocator.allocate(8 * mib, stream);  // two that were asked for apart
  EXPECT_EQ(whole, a);
  void* const last = allocator.allocate(1000, stream);
  allocator.free(last);
  void* const longer = allocator.allocate(mib, stream);  // grows what is free at the end
  EXPECT_EQ(longer, last);
  EXPECT_EQ(allocator.stats().held_bytes, 9 * mib);

  // Only the end can be given back; a hole stays, for the next request.
  allocator.free(whole);
  allocator.release_cached();
  EXPECT_EQ(allocator.stats().held_bytes, 9 * mib);
  allocator.free(longer);
  allocator.release_cached();
  EXPECT_EQ(allocator.stats().held_bytes, 0u);
  auto* const again = static_cast<std::byte*>(allocator.allocate(8 * mib, stream));
  EXPECT_EQ(again, a);
  again[0] = again[8 * mib - 1] = std::byte{1};  // usable to its ends
  allocator.free(again);
}

TEST_F(Allocator, AtItsCapItThrowsAndWorkGoesOn) {
  const auto allocator = allocator_of(Device::cpu());
  allocator->release_cached();
  allocator->set_cap(allocator->stats().held_bytes + (size_t{8} << 20));
  try {
    zeros({16 << 20});
    ADD_FAILURE() << "the cap was not held";
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("no memory for 67108864 bytes"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(zeros({1000}).numel(), 1000);
  allocator->set_cap(0);
}

TEST(Tensor, MadeFromPinnedMemoryLeavesItFree) {
  const DeviceRuntime* const found = registry().device(DeviceKind::emulator);
  if (found == nullptr) GTEST_SKIP() << why_family_is_missing("emulator");
  const Environment late("BURIN_EMULATOR_STREAMS", "late");
  std::jthread([] {  // which gets a stream of its own
    DeviceRuntime& runtime = runtime_of(Device::emulator());
    auto* const pinned = static_cast<float*>(runtime.allocate_host(4 * sizeof(float)));
    std::fill(pinned, pinned + 4, 5.0f);
    const Tensor x =
        Tensor::from(std::span<const float>(pinned, 4), {4}, {DType::f32, Device::emulator()});
    std::fill(pinned, pinned + 4, 7.0f);
    EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 5.0f));
    runtime.free_host(pinned);
  })
      .join();
}

TEST_F(Allocator, ServesThreadsAtOnce) {
  const size_t before = allocator_of(Device::cpu())->stats().in_use_bytes;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 200; ++i) {
          const Tensor x = full({100 + i % 7}, t);
          EXPECT_EQ(x.to_vector<float>().back(), static_cast<float>(t));
        }
      });
    }
  }
  EXPECT_EQ(allocator_of(Device::cpu())->stats().in_use_bytes, before);
}

}  // namespace
}  // namespace burin
