#include "burin/apps/serve/heat_map.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "burin/apps/base64.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

uint8_t byte_of(float value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255.0f));
}

/// RGBA of a value from 0 to 1: the hue falls from yellow to red, the alpha rises.
void paint(float value, uint8_t* pixel) {
  pixel[0] = byte_of(1.0f - 0.15f * value);
  pixel[1] = byte_of(0.85f - 0.80f * value);
  pixel[2] = byte_of(0.10f);
  pixel[3] = byte_of(value * value * (3 - 2 * value));
}

std::vector<uint8_t> encode_rgba_png(const std::vector<uint8_t>& pixels, int64_t side) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = png.height = static_cast<png_uint_32>(side);
  png.format = PNG_FORMAT_RGBA;
  png.flags = PNG_IMAGE_FLAG_FAST;
  std::vector<uint8_t> file(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t size = file.size();
  const int written =
      png_image_write_to_memory(&png, file.data(), &size, 0, pixels.data(), 0, nullptr);
  check(written != 0, "the heat map cannot be encoded: ", png.message);
  file.resize(size);
  return file;
}

}  // namespace

std::string heat_map_url(const models::GradCam& cam, int64_t side) {
  const std::vector<float> values = cam.stretched(side, side);
  std::vector<uint8_t> pixels(values.size() * 4);
  for (size_t i = 0; i < values.size(); ++i) paint(values[i], pixels.data() + 4 * i);
  return "data:image/png;base64," + base64(encode_rgba_png(pixels, side));
}

std::array<double, 4> seen_part(const models::Preprocess& preprocess, int64_t width,
                                int64_t height) {
  const auto W = static_cast<double>(width), H = static_cast<double>(height);
  const double scale =
      preprocess.resize == 0 ? 1 : static_cast<double>(preprocess.resize) / std::min(W, H);
  const double side = static_cast<double>(preprocess.crop) / scale;
  return {(W - side) / 2, (H - side) / 2, side, side};
}

}  // namespace burin::apps
