#include "burin/apps/overlay.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

TEST(Jet, RunsFromBlueOverGreenToRed) {
  EXPECT_EQ(jet(0), (std::array<double, 3>{0, 0, 0.5}));
  EXPECT_EQ(jet(0.5), (std::array<double, 3>{0.5, 1, 0.5}));
  EXPECT_EQ(jet(1), (std::array<double, 3>{0.5, 0, 0}));
}

// pytorch-grad-cam's show_cam_on_image, at alpha 0.5: (0.5 JET + 0.5 image) / max, times 255.
TEST(BlendHeat, IsScaledToItsLargestValue) {
  data::Image image(2, 1);
  image.pixels = {255, 0, 0, 0, 0, 0};
  const data::Image blended = blend_heat(image, {1, 0}, 0.5);
  // Pixel 0: (0.25 + 0.5, 0, 0), the largest; pixel 1: (0, 0, 0.25).
  EXPECT_EQ(blended.pixels, (std::vector<uint8_t>{255, 0, 0, 0, 0, 85}));
}

// Names of files and classes each have up to 255 bytes, and so has the overlay's.
TEST(OverlayWriter, ShortensLongNames) {
  const testing_support::TemporaryFolder folder;
  std::string class_name;
  for (int i = 0; i < 120; ++i) class_name += "ü";
  const std::string image = std::string(250, 'n') + ".jpg";
  OverlayWriter writer(folder.path());
  for (const char* const ending : {"", "_2"}) {
    EXPECT_EQ(
        writer.write(image, class_name, data::Image(2, 2)),
        folder.file(std::string(110, 'n') + '_' + class_name.substr(0, 110) + ending + ".png"));
  }
}

}  // namespace
}  // namespace burin::apps
