#include "burin/apps/preparation/convert.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>

#include "burin/data/decode.h"
#include "burin/data/encode.h"
#include "burin/data/file.h"
#include "burin/data/look.h"
#include "burin/data/resize.h"
#include "burin/data/transforms.h"
#include "burin/kernels/base/error.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

bool stays_as_it_is(const data::Decoded& decoded, const Conversion& conversion) {
  const data::SourceInfo& source = decoded.source;
  const bool plain = source.mode == "rgb" && source.bits == 8;
  const bool jpeg = source.format == data::ImageFormat::jpeg;
  const bool png = source.format == data::ImageFormat::png;
  const bool right_format = conversion.format == "keep"  ? jpeg || png
                            : conversion.format == "jpg" ? jpeg
                                                         : png;
  const int64_t shorter = std::min(decoded.image.width, decoded.image.height);
  return plain && right_format && (conversion.size == 0 || shorter <= conversion.size);
}

void write_unflushed(const std::string& path, const std::vector<uint8_t>& bytes) {
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit_without_flush();
}

void link_to(const std::string& source, const std::string& path) {
  std::error_code error;
  fs::create_symlink(fs::absolute(source), path, error);
  if (error) throw WriteError(str(path, ": can't be linked: ", error.message()));
}

data::Image resized(const data::Image& image, int64_t shorter_side) {
  if (shorter_side == 0 || std::min(image.width, image.height) <= shorter_side) return image;
  const data::Window size = data::resized_size(image.width, image.height, shorter_side);
  return data::resize(image, size.width, size.height, data::Filter::bicubic);
}

}  // namespace

std::array<uint8_t, 3> parse_color(const std::string& text) {
  if (text == "white") return {255, 255, 255};
  if (text == "black") return {0, 0, 0};
  if (text == "grey") return {128, 128, 128};
  const bool hex = text.size() == 7 && text[0] == '#' &&
                   text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
  check(hex, "--background: '", text, "' is none of white, black, grey, #rrggbb");
  const auto value = static_cast<uint32_t>(std::stoul(text.substr(1), nullptr, 16));
  return {static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 8),
          static_cast<uint8_t>(value)};
}

void fingerprint_image(SourceImage& image) {
  const data::Image decoded = data::load_image(image.path);
  uint64_t hash = 0xCBF29CE484222325u ^ static_cast<uint64_t>(decoded.width);  // FNV-1a
  for (const uint8_t p : decoded.pixels) hash = (hash ^ p) * 0x100000001B3u;
  image.content = hash;
  image.look = data::look_of(decoded);
}

Converted convert_image(const std::string& source, const std::string& path,
                        const Conversion& conversion) {
  const std::vector<uint8_t> bytes = data::read_file(source);
  const data::Decoded decoded =
      data::decode_with_info(bytes, source, {.background = conversion.background});
  const bool jpeg =
      conversion.format == "jpg" ||
      (conversion.format == "keep" && decoded.source.format == data::ImageFormat::jpeg);
  Converted result{.path = path + (jpeg ? ".jpg" : ".png")};
  if (stays_as_it_is(decoded, conversion)) {
    result.untouched = true;
    result.width = decoded.image.width;
    result.height = decoded.image.height;
    if (conversion.link) {
      link_to(source, result.path);
    } else {
      write_unflushed(result.path, bytes);
    }
    return result;
  }
  const data::Image image = resized(decoded.image, conversion.size);
  result.width = image.width;
  result.height = image.height;
  write_unflushed(result.path,
                  jpeg ? data::encode_jpeg(image, conversion.quality) : data::encode_png(image));
  return result;
}

}  // namespace burin::apps
