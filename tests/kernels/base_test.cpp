// The vocabulary: 16-bit floats, shapes, layouts, threads, random numbers, devices.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <stdexcept>

#include "burin/kernels/base/device.h"
#include "burin/kernels/base/dtype.h"
#include "burin/kernels/base/layout.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/random.h"
#include "support/expect_error.h"

namespace burin {
namespace {

/// The value of a 16-bit pattern by its fields, in double.
double decoded(uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits >> 15 != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

template <class Half>
void expect_every_pattern(int exponent_bits, int mantissa_bits) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    Half half;
    half.bits = static_cast<uint16_t>(pattern);
    const double expected = decoded(half.bits, exponent_bits, mantissa_bits);
    const auto value = static_cast<float>(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      ASSERT_TRUE(std::isnan(static_cast<float>(Half(value)))) << pattern;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), expected) << pattern;
    ASSERT_EQ(Half(value).bits, half.bits) << pattern;  // there and back
  }
}

/// Halfway between two neighbours goes to the even one, anything beyond to the nearer.
template <class Half>
void expect_ties_to_even() {
  const auto with_bits = [](uint32_t bits) {
    Half half;
    half.bits = static_cast<uint16_t>(bits);
    return half;
  };
  for (const uint32_t low : {0x0001u, 0x0400u, 0x3c01u, 0x3c02u, 0x4234u, 0x5000u}) {
    const auto a = static_cast<float>(with_bits(low));
    const auto b = static_cast<float>(with_bits(low + 1));
    const float middle = a + (b - a) / 2;
    EXPECT_EQ(Half(middle).bits, low % 2 == 0 ? low : low + 1) << low;
    EXPECT_EQ(Half(std::nextafter(middle, INFINITY)).bits, low + 1) << low;
    EXPECT_EQ(Half(std::nextafter(middle, 0.0f)).bits, low) << low;
  }
}

TEST(Bfloat16, IsExactOnEveryPattern) {
  expect_every_pattern<bfloat16>(8, 7);
}
TEST(Float16, IsExactOnEveryPattern) {
  expect_every_pattern<float16>(5, 10);
}
TEST(Bfloat16, RoundsTiesToEven) {
  expect_ties_to_even<bfloat16>();
}
TEST(Float16, RoundsTiesToEven) {
  expect_ties_to_even<float16>();
}

TEST(Float16, OverflowsToInfinity) {
  EXPECT_EQ(float16(65504.0f).bits, 0x7bff);
  EXPECT_EQ(float16(65519.9f).bits, 0x7bff);
  EXPECT_EQ(float16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(float16(-1e30f).bits, 0xfc00);
}

TEST(Shape, BroadcastsAsNumpy) {
  EXPECT_EQ(broadcast_shape({3, 1, 5}, {4, 1}), Shape({3, 4, 5}));
  EXPECT_EQ(broadcast_shape({}, {2, 3}), Shape({2, 3}));
  expect_error([] { broadcast_shape({2, 3}, {2}); }, "[2, 3] and [2] do not fit");
  expect_error([] { Shape({1, 2, 3, 4, 5, 6, 7, 8, 9}); }, "at most 8 dimensions");
}

TEST(Layout, IgnoresStridesOfExtentsOfOne) {
  const Shape shape = {2, 3, 4, 5};
  EXPECT_EQ(dense_strides(shape, Layout::nhwc), Strides({60, 1, 15, 3}));
  EXPECT_EQ(dense_strides(shape, Layout::nchw), Strides({60, 20, 5, 1}));
  EXPECT_FALSE(is_dense(shape, dense_strides(shape, Layout::nhwc), Layout::nchw));
  EXPECT_TRUE(is_dense({2, 3, 1, 1}, {3, 1, 99, 7}, Layout::nchw));
  EXPECT_TRUE(is_dense({2, 3, 1, 1}, {3, 1, 99, 7}, Layout::nhwc));
}

TEST(ParallelFor, CoversTheRangeOnce) {
  for (const int64_t count : {0, 1, 7, 1000, 100'003}) {
    std::vector<int> met(static_cast<size_t>(count), 0);
    parallel_for(count, 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++met[static_cast<size_t>(i)];
    });
    EXPECT_EQ(std::count(met.begin(), met.end(), 1), count);
  }
}

TEST(ParallelFor, ThrowsInTheCaller) {
  const auto work = [] {
    parallel_for(1000, 1, [](int64_t begin, int64_t) {
      if (begin > 0 || compute_threads() == 1) fail("a thread failed");
    });
  };
  expect_error(work, "a thread failed");
}

// fork() copies no threads: libgomp would wait for them.
TEST(ParallelFor, RunsInAChildThatHasOneThread) {
  const int threads = compute_threads();
  set_compute_threads(2);
  parallel_for(100, 1, [](int64_t /*begin*/, int64_t /*end*/) {});
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // what would wait for ever
    set_compute_threads(1);
    int64_t sum = 0;
    parallel_for(100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    _exit(sum == 100 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  set_compute_threads(threads);
}

// Known answers of Random123's kat_vectors, philox4x32-10.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformsAndNormalsHaveTheirMoments) {
  double mean = 0, normal_mean = 0, normal_square = 0;
  constexpr int count = 100'000;
  for (int i = 0; i < count; ++i) {
    const auto words = philox(7, 3, static_cast<uint64_t>(i));
    const float u = uniform_from(words[0]);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    const auto z = static_cast<double>(normal_from(words[2], words[3]));
    mean += static_cast<double>(u) / count;
    normal_mean += z / count;
    normal_square += z * z / count;
  }
  EXPECT_NEAR(mean, 0.5, 0.005);
  EXPECT_NEAR(normal_mean, 0, 0.015);
  EXPECT_NEAR(normal_square, 1, 0.02);
}

TEST(Device, ReadsItsNames) {
  EXPECT_EQ(Device::parse("cuda:3"), Device::cuda(3));
  EXPECT_EQ(str(Device::cuda(1), ' ', Device::cpu(), ' ', Device::emulator()),
            "cuda:1 cpu emulator");
  EXPECT_EQ(Device::parse("emulator:0"), Device::emulator());
  EXPECT_EQ(Device::parse(str(Device::emulator(1))), Device::emulator(1));
  for (const char* const wrong :
       {"gpu", "cuda:", "cuda:-1", "cuda:1x", "", "emulator:", "emulator1", "cpu:1"}) {
    expect_error([&] { Device::parse(wrong); },
                 "is none of cpu, cuda, cuda:N, emulator, emulator:N");
  }
}

}  // namespace
}  // namespace burin
