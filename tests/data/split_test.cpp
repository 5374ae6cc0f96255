#include "burin/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/expect_error.h"

namespace burin::data {
namespace {

TEST(Randperm, IsTorchs) {  // larger ones in golden_test.cpp
  EXPECT_EQ(randperm(10, 42), (std::vector<int64_t>{2, 6, 1, 8, 4, 5, 0, 9, 3, 7}));
  EXPECT_TRUE(randperm(0, 1).empty());
  expect_error([] { randperm(-1, 0); }, "randperm: n must be in [0, 214748364), got -1");
}

TEST(RandomSplit, IsFastaisRandomSplitter) {
  const Split split = random_split(10, 0.25, 42);
  EXPECT_EQ(split.valid, (std::vector<int64_t>{2, 6}));
  EXPECT_EQ(split.train, (std::vector<int64_t>{1, 8, 4, 5, 0, 9, 3, 7}));
  EXPECT_TRUE(random_split(10, 0.0, 42).valid.empty());
  expect_error([] { random_split(10, 1.0, 42); }, "split: the fraction must be in [0, 1), got 1");
}

TEST(RandomSubset, KeepsTheOrderOfTheList) {
  const std::vector<int64_t> list = {9, 7, 5, 3, 1};
  const std::vector<int64_t> some = random_subset(list, 0.6, 1);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_TRUE(std::is_sorted(some.rbegin(), some.rend()));
  EXPECT_EQ(random_subset(list, 1.0, 1), list);
  EXPECT_EQ(random_subset(list, 0.01, 1).size(), 1u);
}

}  // namespace
}  // namespace burin::data
