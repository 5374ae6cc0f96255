#include "burin/data/idx.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin::data {
namespace {

using testing_support::TemporaryFolder;
using testing_support::write_whole;

std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

const std::string three_images =
    big_endian(0x803) + big_endian(3) + big_endian(2) + big_endian(2) + "abcdefghijkl";
const std::string three_labels = big_endian(0x801) + big_endian(3) + std::string("\2\0\1", 3);

// gzip.compress(three_labels, mtime=0) of Python.
const std::string three_labels_gz(
    "\037\213\010\000\000\000\000\000\002\003\143\140\340\140\144\140\140\140\146"
    "\142\140\004\000\174\130\303\172\013\000\000\000",
    31);

TEST(Idx, ReadsPlainAndGzipped) {
  const TemporaryFolder folder;
  write_whole(folder.file("train-images-idx3-ubyte"), three_images);
  write_whole(folder.file("train-labels-idx1-ubyte.gz"), three_labels_gz);

  EXPECT_TRUE(is_idx_folder(folder.path()));
  const auto set = open_idx_folder(folder.path(), "train");
  EXPECT_EQ(set->size(), 3);
  EXPECT_EQ(set->classes(), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(set->label(0), 2);
  EXPECT_EQ(set->name(1), "train-images-idx3-ubyte[1]");
  const auto image = set->load(1);
  EXPECT_EQ(image->width, 2);
  const std::string pixels(image->pixels.begin(), image->pixels.end());
  EXPECT_EQ(pixels, "eeefffggghhh");  // grey becomes three equal channels
}

TEST(Idx, RefusesInWords) {
  const TemporaryFolder folder;
  const auto expect_refusal = [&](const std::string& content, const std::string& part) {
    write_whole(folder.file("x"), content);
    expect_error([&] { read_idx(folder.file("x")); }, part);
  };
  expect_error([&] { read_idx(folder.file("absent")); }, "absent: no such file");
  std::string wrong_checksum = three_labels_gz;
  wrong_checksum[wrong_checksum.size() - 8] ^= 1;
  expect_refusal(wrong_checksum, "x: corrupt gzip data");
  expect_refusal("", "x: truncated, it has 0 of 4 bytes");
  expect_refusal("PNG...", "x: not an idx file");
  expect_refusal(big_endian(0xd01), "x: idx element type 13 is not supported");
  expect_refusal(big_endian(0x809), "x: idx rank must be 1 to 4, got 9");
  expect_refusal(big_endian(0x801) + big_endian(0), "is empty or has more than");
  expect_refusal(big_endian(0x802) + big_endian(0xffffffff) + big_endian(0xffffffff),
                 "is empty or has more than");
  expect_refusal(big_endian(0x801) + big_endian(2000000000), "x: truncated");
  expect_refusal(three_images.substr(0, three_images.size() - 1), "x: truncated, it has 11 of 12");
  expect_refusal(three_images + "!", "x: there are bytes after the 12 elements of [3, 2, 2]");
  expect_refusal("\x1f\x8b garbage", "x: ");
  write_whole(folder.file("images"), three_images);
  write_whole(folder.file("labels"), three_labels);
  expect_error([&] { IdxDataset(folder.file("labels"), folder.file("labels")); },
               "images must be [N, H, W], got [3]");
  expect_error([&] { IdxDataset(folder.file("images"), folder.file("images")); },
               "labels must be [N] with N of the images, [3, 2, 2], got [3, 2, 2]");
  expect_error(
      [&] {
        IdxDataset(folder.file("images"), folder.file("labels"), {"a", "b"});
      },
      "label 2 has no name, there are 2 classes");
}

TEST(Idx, ReadsFashionMnist) {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  if (!is_idx_folder(folder)) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  const auto test = open_idx_folder(folder, "t10k");
  EXPECT_EQ(test->size(), 10000);
  EXPECT_EQ(class_counts(*test), std::vector<int64_t>(10, 1000));
  EXPECT_EQ(test->classes()[static_cast<size_t>(test->label(0))], "Ankle boot");
  // Sum of the pixels of the first image, computed with numpy.
  const auto image = test->load(0);
  EXPECT_EQ(std::accumulate(image->pixels.begin(), image->pixels.end(), int64_t{0}), 3 * 33456);
}

}  // namespace
}  // namespace burin::data
