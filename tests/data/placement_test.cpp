// A training transform in two parts is the whole one, byte for byte.
#include <gtest/gtest.h>

#include "burin/data/transforms.h"
#include "data/noise.h"

namespace burin::data {
namespace {

using Crop = TrainingOptions::Crop;

TEST(PlacedTransform, FixedPartAndPlacementMakeTheTransform) {
  const TrainingOptions cases[] = {
      {.size = 8, .crop = Crop::padded, .padding = 3},
      {.size = 8, .crop = Crop::padded, .flip_probability = 0},
      {.size = 8, .crop = Crop::none, .otherwise = {.resize = 9}},
  };
  const Image image = testing_support::noise(10, 9);
  for (const TrainingOptions& options : cases) {
    const Transform whole = training_transform(options);
    const PlacedTransform placed = *placed_training_transform(options, image.width, image.height);
    for (int64_t sample = 0; sample < 20; ++sample) {
      SampleRandom random(1, 2, sample), again(1, 2, sample);
      const Image expected = whole.apply(image, random);
      const Placement at = placed.place(again);
      const Image window =
          crop(placed.fixed.apply(image, again), {at.left, at.top, placed.size, placed.size});
      EXPECT_EQ(at.mirrored ? flip_horizontal(window) : window, expected) << sample;
    }
  }
}

TEST(PlacedTransform, IsNoneThatResizesAtRandomOrRecolours) {
  EXPECT_FALSE(placed_training_transform({.size = 6, .crop = Crop::resized}, 6, 6));
  EXPECT_FALSE(placed_training_transform({.size = 6, .crop = Crop::square}, 6, 6));
  EXPECT_FALSE(
      placed_training_transform({.size = 6, .crop = Crop::none, .jitter = {.hue = 0.1}}, 6, 6));
}

}  // namespace
}  // namespace burin::data
