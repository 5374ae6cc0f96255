#include "burin/data/resize.h"

#include <gtest/gtest.h>

#include "burin/data/resize_passes.h"
#include "burin/data/transforms.h"
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

/// Both passes of a made-up resize, by the instructions given.
std::vector<uint8_t> by(Instructions with, const Image& image, int64_t taps_each) {
  Taps taps;
  int32_t k = 1 << precision_bits;
  for (int64_t first = 0; first + taps_each <= std::min(image.width, image.height); ++first) {
    taps.outputs.push_back({first, taps_each, (taps_each + 1) / 2 * 2,
                            static_cast<int64_t>(taps.coefficients.size())});
    for (int64_t j = 0; j < taps_each; ++j) {
      k = (k * 37 + 12345 + static_cast<int32_t>(j)) % (1 << (precision_bits - 1));
      // Of either sign, so that sums are clipped too.
      taps.coefficients.push_back(k - (1 << (precision_bits - 2)));
    }
    if (taps_each % 2 == 1) taps.coefficients.push_back(0);
  }
  const auto outputs = static_cast<int64_t>(taps.outputs.size());
  const Rows rows{image.row(0), image.row_bytes(), image.height, image.height * image.row_bytes()};
  const auto across = static_cast<size_t>(image.height * outputs * 3);
  std::vector<uint8_t> result(across + static_cast<size_t>(outputs * image.row_bytes()));
  horizontal_pass(rows, taps, result.data(), with);
  vertical_pass(rows, 0, taps, image.row_bytes(), result.data() + across, with);
  return result;
}

TEST(Resize, AllInstructionsGiveTheSame) {
  for (const auto& [width, height] :
       {std::pair<int64_t, int64_t>{3, 9}, {6, 3}, {11, 12}, {33, 31}, {70, 53}}) {
    const Image image = noise(width, height);
    for (const int64_t taps_each : {1, 2, 3, 6}) {
      const std::vector<uint8_t> expected = by(Instructions::portable, image, taps_each);
      for (const Instructions with : {Instructions::sse, Instructions::avx2}) {
        if (with > best_instructions()) continue;
        EXPECT_EQ(by(with, image, taps_each), expected)
            << width << "x" << height << ", " << taps_each << " taps, instructions "
            << static_cast<int>(with);
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

// timm's create_transform(crop_pct=…): Resize(int(math.floor(size / crop_pct))).
TEST(Resize, ComesBeforeTheCropAsTimmHasIt) {
  const EvaluationOptions vit = EvaluationOptions::timm(224, 0.9);
  EXPECT_EQ(vit.resize, 248);
  EXPECT_EQ(vit.crop, 224);
  EXPECT_EQ(vit.filter, Filter::bicubic);
  EXPECT_EQ(EvaluationOptions::timm(224, 0.875, Filter::bilinear).resize, 256);
  EXPECT_EQ(EvaluationOptions::timm(288, 0.95).resize, 303);
  expect_error([] { EvaluationOptions::timm(224, 0); }, "crop_pct must be in (0, 1], got 0");
}

}  // namespace
}  // namespace burin::data
