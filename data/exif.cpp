#include "burin/data/exif.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace burin::data {
namespace {

/// Reads numbers of either byte order, and nothing past the end.
struct Reader {
  std::span<const uint8_t> bytes;
  bool big_endian = false;

  std::optional<uint32_t> read(size_t offset, size_t count) const {
    if (offset > bytes.size() || bytes.size() - offset < count) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      value = value << 8 | bytes[offset + (big_endian ? i : count - 1 - i)];
    }
    return value;
  }
};

}  // namespace

int exif_orientation(std::span<const uint8_t> block) {
  constexpr uint8_t prefix[6] = {'E', 'x', 'i', 'f', 0, 0};
  if (block.size() >= 6 && std::memcmp(block.data(), prefix, 6) == 0) block = block.subspan(6);
  if (block.size() < 8) return 1;
  const Reader reader{block, block[0] == 'M'};
  const uint32_t directory = reader.read(4, 4).value_or(0);
  const uint32_t entries = reader.read(directory, 2).value_or(0);
  // Entries of 12 bytes: tag, type, count, value. Tag 0x0112 is Orientation, a SHORT.
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (reader.read(entry, 2) != 0x0112u) continue;
    const uint32_t value = reader.read(entry + 8, 2).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool transpose = orientation >= 5;
  Image upright(transpose ? image.height : image.width, transpose ? image.width : image.height);
  // After the transposition of 5 to 8, what is left is a mirror in x, in y, or in both.
  const bool mirror_x =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirror_y =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  for (int64_t y = 0; y < upright.height; ++y) {
    const int64_t from_y = mirror_y ? upright.height - 1 - y : y;
    for (int64_t x = 0; x < upright.width; ++x) {
      const int64_t from_x = mirror_x ? upright.width - 1 - x : x;
      const uint8_t* pixel =
          transpose ? image.row(from_x) + from_y * 3 : image.row(from_y) + from_x * 3;
      std::copy_n(pixel, 3, upright.row(y) + x * 3);
    }
  }
  return upright;
}

}  // namespace burin::data
