#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "burin/data/decoders.h"
#include "burin/kernels/base/error.h"

// The library's code is compiled here and nowhere else; its own checks must not abort us.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_JPEG
#define STBI_NO_PNG
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STBI_ASSERT(x) static_cast<void>(x)
#include <stb/stb_image.h>

namespace burin::data {
namespace {

/// Feeds stb_image and notices when it asks for bytes past the end: left alone it would read zeros
/// there and call a truncated file sound.
struct Source {
  std::span<const uint8_t> bytes;
  size_t position = 0;
  // What the library is given past the end; nullopt: nothing, which it takes for zeros.
  std::optional<uint8_t> filler = std::nullopt;
  const char* buffer = nullptr;  // the library's own, known from its first read
  bool past_end = false;
};

int source_read(void* user, char* to, int count) {
  auto* source = static_cast<Source*>(user);
  const size_t step =
      std::min(static_cast<size_t>(std::max(count, 0)), source->bytes.size() - source->position);
  // Its own buffer is filled greedily, so there only nothing is too little; what is read to any
  // other place is wanted whole.
  if (source->buffer == nullptr) source->buffer = to;
  const bool greedy = to == source->buffer;
  if (step == 0 || (!greedy && step < static_cast<size_t>(count))) source->past_end = true;
  if (step > 0) std::memcpy(to, source->bytes.data() + source->position, step);
  source->position += step;
  if (!source->past_end || !source->filler) return static_cast<int>(step);
  std::memset(to + step, *source->filler, static_cast<size_t>(count) - step);
  return count;
}

void source_skip(void* user, int count) {
  auto* source = static_cast<Source*>(user);
  // Backwards within what was read: stb_image never does, a hostile length could ask for it.
  const int64_t wanted = static_cast<int64_t>(source->position) + count;
  const auto end = static_cast<int64_t>(source->bytes.size());
  if (wanted > end || wanted < 0) source->past_end = true;
  source->position = static_cast<size_t>(std::clamp<int64_t>(wanted, 0, end));
}

int source_at_end(void* user) {
  const auto* source = static_cast<const Source*>(user);
  return source->position >= source->bytes.size() ? 1 : 0;
}

constexpr stbi_io_callbacks callbacks = {source_read, source_skip, source_at_end};

struct Free {
  void operator()(uint8_t* memory) const { stbi_image_free(memory); }
};

std::string mode_of(int channels) {
  const std::string mode = channels <= 2 ? "grey" : "rgb";
  return channels % 2 == 0 ? mode + "+alpha" : mode;
}

uint32_t little_endian(std::span<const uint8_t> bytes, size_t offset, size_t count) {
  require(offset + count <= bytes.size(), Defect::truncated, "bmp is truncated");
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | bytes[offset + i];
  return value;
}

/// The same BMP with a palette of all 2^depth entries, or nothing where there is no palette.
/// stb_image looks up what the file leaves out in memory it never wrote; here it is black.
std::vector<uint8_t> with_full_palette(std::span<const uint8_t> bytes) {
  const size_t pixels = little_endian(bytes, 10, 4);
  const size_t header = little_endian(bytes, 14, 4);
  const bool is_core = header == 12;  // OS/2 1.x: shorter fields, entries of three bytes
  const uint32_t depth = little_endian(bytes, is_core ? 24 : 28, 2);
  const uint32_t compression = is_core ? 0 : little_endian(bytes, 30, 4);
  require(compression != 1 && compression != 2, Defect::unsupported,
          "run-length-encoded BMP is not supported");
  const size_t palette = 14 + header;
  if (depth > 8 || header > 124) return {};
  require(palette < pixels, Defect::corrupt, "corrupt bmp: it has no palette");
  require(pixels <= bytes.size(), Defect::truncated, "bmp is truncated");
  const size_t full = (size_t{1} << depth) * (is_core ? 3 : 4);
  std::vector<uint8_t> result(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(pixels));
  result.resize(palette + full);  // an entry more or less, whatever the header counts
  // Of three bytes an entry stb_image reads four entries fewer than fit before the pixels.
  if (is_core) result.resize(result.size() + 12);
  const size_t offset = result.size();
  for (size_t i = 0; i < 4; ++i) result[10 + i] = static_cast<uint8_t>(offset >> 8 * i);
  result.insert(result.end(), bytes.begin() + static_cast<ptrdiff_t>(pixels), bytes.end());
  return result;
}

}  // namespace

Decoded decode_stb(std::span<const uint8_t> bytes, ImageFormat format,
                   const DecodeOptions& options) {
  std::vector<uint8_t> mended;
  if (format == ImageFormat::bmp) mended = with_full_palette(bytes);
  if (!mended.empty()) bytes = mended;
  int width = 0;
  int height = 0;
  int channels = 0;
  Source header{bytes};
  const bool known = stbi_info_from_callbacks(&callbacks, &header, &width, &height, &channels) != 0;
  require(known, Defect::corrupt, "unsupported or corrupt ", format, ": ", stbi_failure_reason());
  check_size(width, std::abs(int64_t{height}), options);  // a BMP is top-down if it is negative
  if (format == ImageFormat::gif) check_gif_raster(bytes, int64_t{width} * height);

  Source source{bytes};
  // In zeros a run-length-encoded HDR has runs of no pixels without end. This is the length of a
  // run that gets on, and what ends a line of the header.
  if (format == ImageFormat::hdr) source.filler = '\n';
  const int wanted = options.background ? 4 : 3;
  const std::unique_ptr<uint8_t, Free> pixels(
      stbi_load_from_callbacks(&callbacks, &source, &width, &height, &channels, wanted));
  require(!source.past_end, Defect::truncated, format, " is truncated");
  require(pixels != nullptr, Defect::corrupt, "unsupported or corrupt ", format, ": ",
          stbi_failure_reason());
  Decoded decoded;
  decoded.image = Image(width, height);
  if (options.background) {
    compose_rgba(pixels.get(), *options.background, decoded.image);
  } else {
    std::copy_n(pixels.get(), decoded.image.pixels.size(), decoded.image.pixels.data());
  }
  decoded.source = {.format = format, .mode = mode_of(channels)};
  return decoded;
}

}  // namespace burin::data
