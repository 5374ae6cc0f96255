#include "burin/data/encode.h"

#include <gtest/gtest.h>

#include "burin/data/decode.h"
#include "data/noise.h"
#include "support/expect_error.h"

namespace burin::data {
namespace {

TEST(EncodePng, LosesNothing) {
  const Image image = testing_support::noise(37, 21);
  EXPECT_EQ(decode(encode_png(image), "png"), image);
}

TEST(EncodeJpeg, GetsSmallerAndWorseWithLessQuality) {
  Image image(64, 48);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(i / 3 % 64 * 2 + i / 192 * 2);
  }
  size_t last_size = SIZE_MAX;
  for (const int quality : {95, 60, 10}) {
    const std::vector<uint8_t> bytes = encode_jpeg(image, quality);
    EXPECT_LT(bytes.size(), last_size);
    last_size = bytes.size();
    const Image back = decode(bytes, "jpeg");
    ASSERT_EQ(back.width, 64);
    ASSERT_EQ(back.height, 48);
    int64_t difference = 0;
    for (size_t i = 0; i < back.pixels.size(); ++i) {
      difference += std::abs(int{back.pixels[i]} - int{image.pixels[i]});
    }
    EXPECT_LT(difference, static_cast<int64_t>(8 * back.pixels.size())) << quality;
  }
  expect_error([&] { encode_jpeg(image, 0); }, "quality 0");
}

}  // namespace
}  // namespace burin::data
