#include "burin/kernels/check/roofline.h"

#include <gtest/gtest.h>

namespace burin::checks {
namespace {

TEST(Roofline, TheScarcerOfTheTwoBounds) {
  const Roofline roofline{.f32_flops = 100, .bf16_flops = 200, .bytes = 10};
  const Timing computes{.seconds = 4, .flops = 200, .bytes = 10};  // 2 s of products, 1 s of bytes
  const Timing copies{.seconds = 4, .flops = 100, .bytes = 30};    // 1 s of products, 3 s of bytes
  EXPECT_EQ(share_of_peak(computes, DType::f32, roofline), 0.5);
  EXPECT_EQ(share_of_peak(computes, DType::bf16, roofline), 0.25);
  EXPECT_EQ(share_of_peak(copies, DType::f32, roofline), 0.75);
  EXPECT_EQ(share_of_peak(copies, DType::bf16, {.f32_flops = 100, .bytes = 10}), std::nullopt);
}

TEST(Roofline, IsMeasured) {
  const Roofline roofline = measure_roofline();
  EXPECT_GT(roofline.f32_flops, 1e9);
  EXPECT_GT(roofline.bytes, 1e8);
}

}  // namespace
}  // namespace burin::checks
