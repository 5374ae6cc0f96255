#include "burin/data/cifar.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

/// One image: its label, then three planes, each of one value but for the first pixel of the first.
std::string record(char label) {
  std::string bytes(1, label);
  for (const char value : {'r', 'g', 'b'}) bytes += std::string(1024, value);
  bytes[1] = '!';
  return bytes;
}

TEST(Cifar, InterleavesThePlanesAndJoinsTheFiles) {
  const TemporaryFolder folder;
  write_whole(folder.file("data_batch_2.bin"), record(3));
  write_whole(folder.file("data_batch_1.bin"), record(1) + record(2));
  write_whole(folder.file("test_batch.bin"), record(9));
  EXPECT_TRUE(is_cifar_folder(folder.path()));
  const auto train = open_cifar_folder(folder.path(), "train");
  ASSERT_EQ(train->size(), 3);
  EXPECT_EQ(train->label(2), 3);
  EXPECT_EQ(train->name(1), "data_batch_1.bin[1]");
  EXPECT_EQ(train->name(2), "data_batch_2.bin[0]");
  const auto image = train->load(0);
  const std::string first_two(image->pixels.begin(), image->pixels.begin() + 6);
  EXPECT_EQ(first_two, "!gbrgb");
  EXPECT_EQ(open_cifar_folder(folder.path(), "test")->classes()[9], "truck");
}

TEST(Cifar, RefusesInWords) {
  const TemporaryFolder folder;
  expect_error([&] { open_cifar_folder(folder.path(), "train"); },
               "no CIFAR-10 files of the part 'train'\n  hint: ");
  write_whole(folder.file("train.bin"), record(1) + "?");
  expect_error([&] { open_cifar_folder(folder.path(), "train"); },
               "3074 bytes are not a whole number of CIFAR-10 images of 3073");
  write_whole(folder.file("train.bin"), record(1) + record(10));
  expect_error([&] { open_cifar_folder(folder.path(), "train"); },
               "image 1 has label 10, CIFAR-10 has 0 to 9");
}

TEST(Cifar, ReadsTheRealOne) {
  const auto folder = test_data("cifar10");
  if (!folder) GTEST_SKIP() << "no data/cifar10";
  const auto test = open_cifar_folder(*folder, "test");
  EXPECT_EQ(class_counts(*test), std::vector<int64_t>(10, 200));
  for (int64_t i = 0; i < test->size(); ++i) ASSERT_EQ(test->label(i), i % 10);
  EXPECT_EQ(open_cifar_folder(*folder, "train")->size(), 10000);
}

}  // namespace
}  // namespace burin::data
