#pragma once

#include <cstdint>

#include "burin/data/image.h"

namespace burin::data {

enum class Filter : uint8_t {
  bilinear,  // triangle, support 1
  bicubic,   // Keys with a = −1/2, support 2
};

/// A rectangle in the source, in pixels, edges not pixel centres. float, as in Pillow.
struct Box {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;
};

/// What to resize and which part of the result to compute.
struct ResizePlan {
  Box box;             // the part of the source that becomes the result
  int64_t width = 0;   // of the result
  int64_t height = 0;  // of the result
  Filter filter = Filter::bilinear;
  Window window;  // the part of the result to compute: a resize and a crop in one

  /// The whole image becomes width × height.
  static ResizePlan whole(const Image& image, int64_t width, int64_t height, Filter filter);
};

/// Resizes as Pillow's Image.resize(size, filter, box) for 8-bit images, bit for bit: a support
/// that grows with the reduction (antialiasing), horizontal pass first, u8 between the passes.
///
///   y[i] = clip8((2^21 + Σ_j k_ij x[j]) >> 22)
///   k_ij = round(2^22 · f((j + ½ − c_i) / s) / Σ_j f((j + ½ − c_i) / s))
///   c_i = box.left + (i + ½) · scale,  s = max(scale, 1),  scale = box width / width
///
/// Throws Error for a size below 1, a box outside of the image or a window outside of the result.
/// Pillow 9.4, src/libImaging/Resample.c.
Image resize(const Image& image, const ResizePlan& plan);
Image resize(const Image& image, int64_t width, int64_t height, Filter filter);

/// The rows and columns of an image of this size that `plan` reads; what lies outside of it may
/// hold anything.
Window needed_part(int64_t image_width, int64_t image_height, const ResizePlan& plan);

}  // namespace burin::data
