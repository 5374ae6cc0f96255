#include "burin/data/corrupt.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/noise.h"

namespace burin::data {
namespace {

using Kind = Corruption::Kind;

double difference(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  }
  return sum / static_cast<double>(a.pixels.size());
}

// Every kind changes the image more with every strength, and the same each time.
TEST(Corrupt, GrowsWithItsStrength) {
  const Image image = testing_support::noise(300, 256);
  double last = 0;
  for (const Corruption& corruption : all_corruptions()) {
    const Image changed = corrupt(image, corruption, 7);
    EXPECT_EQ(changed, corrupt(image, corruption, 7)) << corruption.describe();
    if (corruption.strength == 1) last = 0;
    EXPECT_GT(difference(image, changed), last) << corruption.describe();
    last = difference(image, changed);
  }
  EXPECT_EQ(all_corruptions().size(), 18u);
}

TEST(Corrupt, DoesWhatItSays) {
  Image grey(256, 256);
  std::fill(grey.pixels.begin(), grey.pixels.end(), uint8_t{100});
  EXPECT_EQ(corrupt(grey, {Kind::blur, 3}), grey) << "nothing to blur";
  EXPECT_EQ(corrupt(grey, {Kind::contrast, 3}), grey) << "nothing but the mean";
  EXPECT_EQ(corrupt(grey, {Kind::darker, 2}).pixels[0], 50);
  EXPECT_EQ(corrupt(grey, {Kind::brighter, 2}).pixels[0], 160);
  double sum = 0, squares = 0;
  for (const uint8_t p : corrupt(grey, {Kind::noise, 2}).pixels) {
    sum += p - 100.0;
    squares += (p - 100.0) * (p - 100.0);
  }
  const double n = static_cast<double>(grey.pixels.size());
  EXPECT_NEAR(sum / n, 0, 0.2);
  EXPECT_NEAR(std::sqrt(squares / n), 16, 0.2);

  // A step blurred with sigma 2 rises as the normal distribution does.
  Image step(256, 256);
  for (size_t i = 0; i < step.pixels.size(); ++i) step.pixels[i] = i / 3 % 256 < 128 ? 0 : 200;
  const Image smooth = corrupt(step, {Kind::blur, 2});
  EXPECT_NEAR(smooth.row(100)[3 * 129], 200 * 0.5 * std::erfc(-1.5 / 2 / std::sqrt(2)), 2);
}

}  // namespace
}  // namespace burin::data
