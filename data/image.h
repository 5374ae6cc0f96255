#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace burin::data {

/// Pixels in host memory: [height, width, 3] u8 RGB, dense.
struct Image {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;

  Image() = default;
  /// A black image. Throws Error unless both sides are at least 1.
  Image(int64_t width, int64_t height);

  int64_t row_bytes() const { return width * 3; }
  uint8_t* row(int64_t y) { return pixels.data() + y * row_bytes(); }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * row_bytes(); }
  bool operator==(const Image&) const = default;
};

/// A rectangle of pixels.
struct Window {
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
  bool operator==(const Window&) const = default;
};

/// The part of `image` under `window`; what lies outside the image is black, as in torchvision's
/// crop.
Image crop(const Image& image, const Window& window);

/// Mirrors left and right.
Image flip_horizontal(const Image& image);

}  // namespace burin::data
