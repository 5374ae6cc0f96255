// A training transform in two parts is the whole one, byte for byte.
#include <gtest/gtest.h>

#include <set>
#include <utility>

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
  EXPECT_FALSE(placed_training_transform({.size = 6, .crop = Crop::shifted}, 6, 6));
  EXPECT_FALSE(
      placed_training_transform({.size = 6, .crop = Crop::none, .jitter = {.hue = 0.1}}, 6, 6));
}

TEST(ShiftedCrop, IsAWindowOfWhatTheEvaluationResizes) {
  const TrainingOptions options{
      .size = 8, .crop = Crop::shifted, .flip_probability = 0, .otherwise = {.resize = 10}};
  const Image image = testing_support::noise(30, 24),
              resized = resize(image, 12, 10, Filter::bilinear);
  std::set<std::pair<int64_t, int64_t>> places;
  for (int64_t sample = 0; sample < 200; ++sample) {
    SampleRandom random(1, 2, sample), again(1, 2, sample);
    const Image window = training_transform(options).apply(image, random);
    const int64_t left = again.below(5), top = again.below(3);
    EXPECT_EQ(window, crop(resized, {left, top, 8, 8})) << sample;
    places.emplace(left, top);
  }
  EXPECT_EQ(places.size(), 15U);
}

TEST(ShiftedCrop, IsTheCentreWhereThereIsNoRoom) {
  const TrainingOptions options{
      .size = 8, .crop = Crop::shifted, .flip_probability = 0, .otherwise = {.resize = 6}};
  const Image image = testing_support::noise(6, 12);
  SampleRandom random(1, 2, 3), again(1, 2, 3);
  const Image window = training_transform(options).apply(image, random);
  EXPECT_EQ(window, crop(image, {-1, again.below(5), 8, 8}));
}

}  // namespace
}  // namespace burin::data
