// Which pictures are taken for copies of each other.
#include "burin/data/look.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "burin/data/resize.h"

namespace burin::data {
namespace {

TEST(DifferenceHash, SeesShapesAndNotBrightness) {
  Image flat(30, 20);
  EXPECT_EQ(difference_hash(flat), 0u);
  Image ramp(90, 80);
  for (size_t i = 0; i < ramp.pixels.size(); ++i) {
    ramp.pixels[i] = static_cast<uint8_t>(200 - 2 * (i / 3 % 90));
  }
  EXPECT_EQ(difference_hash(ramp),
            ~uint64_t{0});  // every pixel is brighter than its right neighbour
  EXPECT_EQ(difference_hash(flip_horizontal(ramp)), 0u);
}

/// A bright disc on a ramp, at (x, y) of an image of this size, both as shares of it.
Image disc(int64_t size, double x, double y) {
  Image image(size, size);
  for (int64_t i = 0; i < size * size; ++i) {
    const double dx = static_cast<double>(i % size) / static_cast<double>(size) - x;
    const double dy = static_cast<double>(i / size) / static_cast<double>(size) - y;
    const bool inside = dx * dx + dy * dy < 0.04;
    const auto value = static_cast<uint8_t>(inside ? 230 : 150 * (i % size) / size);
    std::fill_n(&image.pixels[static_cast<size_t>(3 * i)], 3, value);
  }
  return image;
}

TEST(LookAlike, IsAResizedCopy) {
  const Image image = disc(200, 0.4, 0.5);
  const Image copy = resize(image, 90, 90, Filter::bicubic);
  EXPECT_TRUE(look_alike(look_of(image), look_of(copy), 3));
  EXPECT_FALSE(look_alike(look_of(image), look_of(disc(200, 0.6, 0.5)), 3));
}

TEST(LookAlike, IsNotWhatSharesAHashAlone) {
  const Look look = look_of(disc(200, 0.4, 0.5));
  Look darker = look;
  for (uint8_t& grey : darker.thumbnail) grey = static_cast<uint8_t>(grey / 2);
  EXPECT_FALSE(look_alike(look, darker, 3));
  EXPECT_TRUE(look_alike(look, look, 0));
  EXPECT_FALSE(look_alike(look, look, -1));
}

TEST(LookAlike, APictureWithoutDetailResemblesNothing) {
  const Look flat = look_of(Image(30, 20));
  EXPECT_FALSE(look_alike(flat, flat, 3));
}

}  // namespace
}  // namespace burin::data
