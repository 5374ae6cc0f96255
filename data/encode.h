#pragma once

#include <cstdint>
#include <vector>

#include "burin/data/image.h"

namespace burin::data {

/// A JPEG file with 4:2:0 chroma; `quality` 1 to 100 as libjpeg and Pillow count it.
/// Throws Error for a side above 65,500 pixels.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality = 90);

/// A PNG file, 8 bits a channel, without loss.
std::vector<uint8_t> encode_png(const Image& image);

}  // namespace burin::data
