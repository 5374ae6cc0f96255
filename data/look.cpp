#include "burin/data/look.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <vector>

#include "burin/data/resize.h"

namespace burin::data {
namespace {

/// Grey as Pillow's convert("L"), after a resize.
std::vector<uint8_t> grey_thumbnail(const Image& image, int64_t width, int64_t height) {
  const Image small = resize(image, width, height, Filter::bilinear);
  std::vector<uint8_t> grey;
  for (size_t i = 0; i < small.pixels.size(); i += 3) {
    const uint8_t* rgb = &small.pixels[i];
    grey.push_back(
        static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16));
  }
  return grey;
}

}  // namespace

uint64_t difference_hash(const Image& image) {
  const std::vector<uint8_t> grey = grey_thumbnail(image, 9, 8);
  uint64_t hash = 0;
  for (size_t y = 0; y < 8; ++y) {
    for (size_t x = 0; x < 8; ++x) {
      if (grey[9 * y + x] > grey[9 * y + x + 1]) hash |= uint64_t{1} << (8 * y + x);
    }
  }
  return hash;
}

Look look_of(const Image& image) {
  Look look{.hash = difference_hash(image)};
  const std::vector<uint8_t> grey = grey_thumbnail(image, 16, 16);
  std::copy(grey.begin(), grey.end(), look.thumbnail.begin());
  return look;
}

bool look_alike(const Look& a, const Look& b, int distance) {
  constexpr int64_t mean_difference = 4;  // levels; a recompressed or resized copy stays below 2
  if (a.hash == 0 || b.hash == 0 || std::popcount(a.hash ^ b.hash) > distance) return false;
  int64_t sum = 0;
  for (size_t i = 0; i < a.thumbnail.size(); ++i) {
    sum += std::abs(int{a.thumbnail[i]} - int{b.thumbnail[i]});
  }
  return sum <= mean_difference * static_cast<int64_t>(a.thumbnail.size());
}

}  // namespace burin::data
