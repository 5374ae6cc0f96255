#include "burin/data/color_jitter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

/// ImagingBlend of Pillow's Blend.c for one byte: from `base` to `value`, and past it.
uint8_t blend(int base, int value, float alpha) {
  const float mixed = static_cast<float>(base) + alpha * static_cast<float>(value - base);
  if (alpha >= 0 && alpha <= 1.0f) return static_cast<uint8_t>(mixed);
  return mixed <= 0.0f ? uint8_t{0}
                       : (mixed >= 255.0f ? uint8_t{255} : static_cast<uint8_t>(mixed));
}

/// ITU-R 601-2 luma in 16 bits, as Pillow's convert("L").
uint8_t grey_of(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

void blend_with_constant(Image& image, int base, float factor) {
  std::array<uint8_t, 256> table{};
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = blend(base, v, factor);
  for (uint8_t& value : image.pixels) value = table[value];
}

uint8_t clip8(int value) {
  return static_cast<uint8_t>(std::clamp(value, 0, 255));
}

struct Hsv {
  uint8_t hue;
  uint8_t saturation;
  uint8_t value;
};

/// rgb2hsv_row of Pillow's Convert.c, floats and doubles where it has them.
Hsv hsv_of(const uint8_t* rgb) {
  const int r = rgb[0];
  const int g = rgb[1];
  const int b = rgb[2];
  const int largest = std::max({r, g, b});
  const int smallest = std::min({r, g, b});
  if (largest == smallest) return {0, 0, static_cast<uint8_t>(largest)};
  const auto range = static_cast<float>(largest - smallest);
  const float saturation = range / static_cast<float>(largest);
  const float rc = static_cast<float>(largest - r) / range;
  const float gc = static_cast<float>(largest - g) / range;
  const float bc = static_cast<float>(largest - b) / range;
  float hue = 0;
  if (r == largest) {
    hue = bc - gc;
  } else if (g == largest) {
    hue = static_cast<float>(2.0 + rc - bc);
  } else {
    hue = static_cast<float>(4.0 + gc - rc);
  }
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  return {clip8(static_cast<int>(hue * 255.0)), clip8(static_cast<int>(saturation * 255.0)),
          static_cast<uint8_t>(largest)};
}

/// hsv2rgb of Pillow's Convert.c.
void rgb_of(const Hsv& hsv, uint8_t* rgb) {
  const uint8_t v = hsv.value;
  if (hsv.saturation == 0) {
    std::fill_n(rgb, 3, v);
    return;
  }
  const auto sector = static_cast<int>(std::floor(static_cast<float>(hsv.hue) * 6.0 / 255.0));
  const auto f = static_cast<float>(static_cast<float>(hsv.hue) * 6.0 / 255.0 -
                                    static_cast<double>(static_cast<float>(sector)));
  const auto s = static_cast<float>(static_cast<float>(hsv.saturation) / 255.0);
  const auto rounded = [v](double x) {
    return clip8(static_cast<int>(static_cast<float>(std::round(static_cast<float>(v) * x))));
  };
  const uint8_t p = rounded(1.0 - s);
  const uint8_t q = rounded(1.0 - s * f);
  const uint8_t t = rounded(1.0 - s * (1.0 - f));
  const std::array<std::array<uint8_t, 3>, 6> sectors = {
      {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
  std::copy_n(sectors[static_cast<size_t>(sector % 6)].begin(), 3, rgb);
}

double factor_around_one(double strength, SampleRandom& random) {
  return random.uniform(std::max(0.0, 1 - strength), 1 + strength);
}

}  // namespace

void adjust_brightness(Image& image, float factor) {
  blend_with_constant(image, 0, factor);
}

void adjust_contrast(Image& image, float factor) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) sum += grey_of(&image.pixels[i]);
  const size_t count = image.pixels.size() / 3;
  const double mean = static_cast<double>(sum) / static_cast<double>(count);
  blend_with_constant(image, static_cast<int>(std::lround(mean)), factor);
}

void adjust_saturation(Image& image, float factor) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const int grey = grey_of(&image.pixels[i]);
    for (size_t c = i; c < i + 3; ++c) image.pixels[c] = blend(grey, image.pixels[c], factor);
  }
}

void adjust_hue(Image& image, double factor) {
  check(factor >= -0.5 && factor <= 0.5, "adjust_hue: the factor must be in [-0.5, 0.5], got ",
        factor);
  const auto turn = static_cast<uint8_t>(static_cast<int>(factor * 255));
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    Hsv hsv = hsv_of(&image.pixels[i]);
    hsv.hue = static_cast<uint8_t>(hsv.hue + turn);  // wraps, as numpy's u8
    rgb_of(hsv, &image.pixels[i]);
  }
}

void ColorJitter::apply(Image& image, SampleRandom& random) const {
  if (brightness == 0 && contrast == 0 && saturation == 0 && hue == 0) return;
  std::array<int, 4> order = {0, 1, 2, 3};
  for (int64_t i = 3; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  }
  const auto by_brightness = static_cast<float>(factor_around_one(brightness, random));
  const auto by_contrast = static_cast<float>(factor_around_one(contrast, random));
  const auto by_saturation = static_cast<float>(factor_around_one(saturation, random));
  const double by_hue = random.uniform(-hue, hue);
  for (const int step : order) {
    if (step == 0 && brightness > 0) adjust_brightness(image, by_brightness);
    if (step == 1 && contrast > 0) adjust_contrast(image, by_contrast);
    if (step == 2 && saturation > 0) adjust_saturation(image, by_saturation);
    if (step == 3 && hue > 0) adjust_hue(image, by_hue);
  }
}

}  // namespace burin::data
