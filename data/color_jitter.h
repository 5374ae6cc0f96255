#pragma once

#include "burin/data/image.h"
#include "burin/data/random.h"

namespace burin::data {

// What torchvision does to PIL images, that is, Pillow's arithmetic on u8, bit for bit. In place.

/// ImageEnhance.Brightness: blend with black; factor 1 changes nothing, 0 is black.
void adjust_brightness(Image& image, float factor);
/// ImageEnhance.Contrast: blend with the mean of the grey image.
void adjust_contrast(Image& image, float factor);
/// ImageEnhance.Color: blend with the grey image.
void adjust_saturation(Image& image, float factor);
/// Turns the hue in Pillow's u8 HSV; `factor` in [−0.5, 0.5] turns of the circle.
void adjust_hue(Image& image, double factor);

/// torchvision.transforms.ColorJitter: the four in a random order, each factor uniform in
/// [max(0, 1 − x), 1 + x], the hue in [−hue, hue]. All 0: nothing is done and nothing drawn.
struct ColorJitter {
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;
  double hue = 0;  // at most 0.5

  void apply(Image& image, SampleRandom& random) const;
};

}  // namespace burin::data
