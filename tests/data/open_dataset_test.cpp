#include "burin/data/open_dataset.h"

#include <gtest/gtest.h>

#include "burin/data/split.h"
#include "support/expect_error.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::source_folder;
using testing_support::test_data;

TEST(OpenDataset, TellsTheKindByWhatLiesThere) {
  expect_error([] { open_dataset(source_folder() / "tests/fuzz/corpus/pickle"); },
               "no class folders found\n  hint: expected ");
  const auto cifar = test_data("cifar10");
  const auto bees = test_data("hymenoptera");
  if (!cifar || !bees) GTEST_SKIP() << "no data/cifar10 or data/hymenoptera";
  EXPECT_EQ(open_dataset(*cifar).kind, "CIFAR-10");
  EXPECT_EQ(open_dataset(*cifar).test->size(), 2000);
  const DatasetParts parts = open_dataset(*bees);
  EXPECT_EQ(parts.kind, "image folder");
  EXPECT_EQ(with_validation(parts, 0.2, 42).val, parts.val);  // it has one of its own
}

TEST(OpenDataset, TakesAValidationSetFromTheTrainingSet) {
  const auto cifar = test_data("cifar10");
  if (!cifar) GTEST_SKIP() << "no data/cifar10";
  const DatasetParts whole = open_dataset(*cifar);
  const DatasetParts parts = with_validation(whole, 0.2, 42);
  EXPECT_EQ(parts.train->size(), 8000);
  EXPECT_EQ(parts.val->size(), 2000);
  EXPECT_EQ(parts.val->name(0), whole.train->name(randperm(10000, 42)[0]));
}

}  // namespace
}  // namespace burin::data
