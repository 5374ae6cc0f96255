#include "burin/apps/png_file.h"

#include <png.h>

#include "burin/kernels/base/error.h"

namespace burin::apps {

void write_png(const std::string& path, const data::Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  const int written =
      png_image_write_to_file(&png, path.c_str(), 0, image.pixels.data(), 0, nullptr);
  check(written != 0, path, ": cannot be written: ", png.message);
}

}  // namespace burin::apps
