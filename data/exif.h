#pragma once

#include <cstdint>
#include <span>

#include "burin/data/image.h"

namespace burin::data {

/// The orientation (1 to 8) that an EXIF block states: a TIFF header, perhaps after "Exif\0\0".
/// 1, upright, for a block that states none or is broken: a photo is not lost over its metadata.
int exif_orientation(std::span<const uint8_t> block);

/// Turns and mirrors the image upright, as PIL's ImageOps.exif_transpose.
Image apply_orientation(Image image, int orientation);

}  // namespace burin::data
