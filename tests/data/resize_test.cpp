#include "burin/data/resize.h"

#include <gtest/gtest.h>

#include "data/noise.h"
#include "support/expect_error.h"

namespace burin::data {
namespace {

using testing_support::noise;

TEST(Resize, AWindowIsACropOfTheWhole) {
  const Image image = noise(97, 71);
  for (const Filter filter : {Filter::bilinear, Filter::bicubic}) {
    for (const auto& [w, h] : {std::pair<int64_t, int64_t>{40, 30}, {130, 71}, {97, 150}}) {
      ResizePlan plan = ResizePlan::whole(image, w, h, filter);
      const Image whole = resize(image, plan);
      for (const Window& window :
           {Window{0, 0, 1, 1}, Window{7, 5, 20, 13}, Window{w - 3, h - 9, 3, 9}}) {
        plan.window = window;
        EXPECT_EQ(resize(image, plan), crop(whole, window)) << w << "x" << h;
      }
    }
  }
}

TEST(Resize, ReadsNothingOutsideTheNeededPart) {
  const Image image = noise(200, 120);
  ResizePlan plan = ResizePlan::whole(image, 90, 60, Filter::bicubic);
  plan.window = {20, 15, 30, 22};
  const Window part = needed_part(image.width, image.height, plan);
  EXPECT_LT(part.width * part.height, 200 * 120 / 3);
  Image elsewhere_black(image.width, image.height);
  for (int64_t y = part.top; y < part.top + part.height; ++y) {
    std::copy_n(image.row(y) + part.left * 3, part.width * 3,
                elsewhere_black.row(y) + part.left * 3);
  }
  EXPECT_EQ(resize(elsewhere_black, plan), resize(image, plan));
}

TEST(Resize, AConstantStaysConstant) {
  Image image(31, 17);
  for (uint8_t& value : image.pixels) value = 201;
  for (const Filter filter : {Filter::bilinear, Filter::bicubic}) {
    for (const uint8_t value : resize(image, 64, 5, filter).pixels) ASSERT_EQ(value, 201);
  }
}

TEST(Resize, RefusesWhatMakesNoSense) {
  const Image image = noise(8, 6);
  expect_error([&] { resize(image, 0, 4, Filter::bilinear); },
               "resize: size must be at least 1x1, got 0x4");
  ResizePlan plan = ResizePlan::whole(image, 4, 4, Filter::bilinear);
  plan.box.right = 9;
  expect_error([&] { resize(image, plan); }, "must be a part of the image, 8x6");
  plan = ResizePlan::whole(image, 4, 4, Filter::bilinear);
  plan.window = {2, 2, 3, 1};
  expect_error([&] { resize(image, plan); }, "must be a part of the result, 4x4");
}

}  // namespace
}  // namespace burin::data
