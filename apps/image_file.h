#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "burin/data/image.h"

namespace burin::apps {

/// Writes a whole file of bytes, at once or not at all. Throws Error where it can't be written.
void write_bytes(const std::string& path, const std::vector<uint8_t>& bytes);

/// Writes an image, as JPEG where the path ends in .jpg, else as PNG.
void write_image(const std::string& path, const data::Image& image);

}  // namespace burin::apps
