#include "burin/tensor/random.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace burin
