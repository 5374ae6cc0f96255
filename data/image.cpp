#include "burin/data/image.h"

#include <algorithm>
#include <cstring>

#include "burin/kernels/base/error.h"

namespace burin::data {

Image::Image(int64_t width_, int64_t height_) : width(width_), height(height_) {
  check(width >= 1 && height >= 1, "image: sides must be at least 1, got ", width, "x", height);
  pixels.resize(static_cast<size_t>(width * height * 3));
}

Image crop(const Image& image, const Window& window) {
  Image result(window.width, window.height);
  const int64_t left = std::max<int64_t>(window.left, 0);
  const int64_t right = std::min(window.left + window.width, image.width);
  const int64_t top = std::max<int64_t>(window.top, 0);
  const int64_t bottom = std::min(window.top + window.height, image.height);
  if (left >= right) return result;
  for (int64_t y = top; y < bottom; ++y) {
    std::memcpy(result.row(y - window.top) + (left - window.left) * 3, image.row(y) + left * 3,
                static_cast<size_t>((right - left) * 3));
  }
  return result;
}

Image flip_horizontal(const Image& image) {
  Image result(image.width, image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* from = image.row(y) + image.row_bytes();
    uint8_t* to = result.row(y);
    for (int64_t x = 0; x < image.width; ++x) {
      from -= 3;
      std::copy_n(from, 3, to);
      to += 3;
    }
  }
  return result;
}

}  // namespace burin::data
