#include "burin/tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace burin {
namespace {

TEST(DrawNothing, LeavesTensorAndGeneratorAsTheyAre) {
  Generator generator(3);
  Tensor x = full({4}, 7);
  {
    const DrawNothing guard(generator);
    normal_(x, 0, 1, generator);
    EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 7.0f));
    EXPECT_EQ(generator.seed_and_offset(), (std::pair<uint64_t, uint64_t>(3, 0)));
  }
  normal_(x, 0, 1, generator);
  EXPECT_NE(x.to_vector<float>(), std::vector<float>(4, 7.0f));
  EXPECT_EQ(generator.seed_and_offset().second, 1u);
}

TEST(Bernoulli, IsOneWithItsProbability) {
  Generator generator(0);
  Tensor x = empty({10'000});
  bernoulli_(x, 0.3, generator);
  const std::vector<float> values = x.to_vector<float>();
  const auto ones = std::count(values.begin(), values.end(), 1.0f);
  const auto zeros = std::count(values.begin(), values.end(), 0.0f);
  EXPECT_EQ(ones + zeros, x.numel());
  EXPECT_NEAR(static_cast<double>(ones), 3000, 184);  // four standard deviations
}

}  // namespace
}  // namespace burin
