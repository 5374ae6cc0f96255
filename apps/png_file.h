#pragma once

#include <string>

#include "burin/data/image.h"

namespace burin::apps {

/// Writes an image as PNG. Throws Error where it can't be written.
void write_png(const std::string& path, const data::Image& image);

}  // namespace burin::apps
