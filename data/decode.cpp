#include "burin/data/decode.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <new>
#include <utility>

#include "burin/data/decoders.h"
#include "burin/data/exif.h"
#include "burin/data/file.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

using Bytes = std::span<const uint8_t>;

bool has(Bytes bytes, size_t offset, std::string_view magic) {
  return bytes.size() >= offset + magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin() + static_cast<ptrdiff_t>(offset),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

/// TGA has no magic: the header's fields must fit each other (Truevision TGA 2.0, page 6).
bool looks_like_tga(Bytes bytes) {
  if (bytes.size() < 18) return false;
  const int map_type = bytes[1];
  const int image_type = bytes[2];
  const int depth = bytes[16];
  const bool mapped = image_type == 1 || image_type == 9;
  const bool true_colour = image_type == 2 || image_type == 10;
  const bool grey = image_type == 3 || image_type == 11;
  const bool map_fits = mapped ? map_type == 1 : map_type <= 1;
  const bool depth_fits = mapped || grey ? depth == 8 || depth == 16
                                         : depth == 15 || depth == 16 || depth == 24 || depth == 32;
  const bool has_size = (bytes[12] | bytes[13]) != 0 && (bytes[14] | bytes[15]) != 0;
  return (mapped || true_colour || grey) && map_fits && depth_fits && has_size;
}

struct Magic {
  std::string_view bytes;
  ImageFormat format;
};

constexpr Magic magics[] = {
    {"\xff\xd8\xff", ImageFormat::jpeg},
    {"\x89PNG\r\n\x1a\n", ImageFormat::png},
    {"GIF87a", ImageFormat::gif},
    {"GIF89a", ImageFormat::gif},
    {"BM", ImageFormat::bmp},
    {"8BPS", ImageFormat::psd},
    {"#?RADIANCE\n", ImageFormat::hdr},
    {"#?RGBE\n", ImageFormat::hdr},
    {"P5", ImageFormat::pnm},
    {"P6", ImageFormat::pnm},
};

/// A name for what is often met and not read, so that the message can say it.
std::string_view name_of_unreadable(Bytes bytes) {
  using namespace std::string_view_literals;
  if (has(bytes, 0, "II*\0"sv) || has(bytes, 0, "MM\0*"sv)) return "TIFF";
  if (has(bytes, 4, "ftypavif") || has(bytes, 4, "ftypavis")) return "AVIF";
  if (has(bytes, 4, "ftyphei") || has(bytes, 4, "ftypmif1")) return "HEIC";
  if (has(bytes, 0, "qoif")) return "QOI";
  if (has(bytes, 0, "PF\n") || has(bytes, 0, "Pf\n")) return "PFM";
  if (has(bytes, 0, "\0\0\0\x0cjP  "sv)) return "JPEG 2000";
  if (has(bytes, 0, "P1") || has(bytes, 0, "P2") || has(bytes, 0, "P3")) return "plain-text PNM";
  if (has(bytes, 0, "P4")) return "PBM";
  return "";
}

Decoded decode_as(Bytes bytes, ImageFormat format, const DecodeOptions& options) {
  switch (format) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, options);
    case ImageFormat::png:
      return decode_png(bytes, options);
    case ImageFormat::webp:
      return decode_webp(bytes, options);
    case ImageFormat::pnm:
      return decode_pnm(bytes, options);
    default:
      return decode_stb(bytes, format, options);
  }
}

Decoded decode_unnamed(Bytes bytes, const DecodeOptions& options) {
  require(!bytes.empty(), Defect::empty, "the file is empty");
  const std::optional<ImageFormat> format = detect_format(bytes);
  if (!format) {
    const std::string_view known = name_of_unreadable(bytes);
    require(known.empty(), Defect::unsupported, known,
            " is not supported (convert it to JPEG or PNG)");
    throw DecodeError(Defect::unsupported, "not an image of a format we know");
  }
  Decoded decoded = decode_as(bytes, *format, options);
  if (options.exif_orientation) {
    decoded.image = apply_orientation(std::move(decoded.image), decoded.source.orientation);
  }
  return decoded;
}

}  // namespace

DecodeError::~DecodeError() = default;

std::string_view name_of(ImageFormat format) {
  constexpr std::array<std::string_view, 9> names = {"jpeg", "png", "webp", "bmp", "gif",
                                                     "tga",  "psd", "hdr",  "pnm"};
  return names[static_cast<size_t>(format)];
}

std::ostream& operator<<(std::ostream& out, ImageFormat format) {
  return out << name_of(format);
}

std::optional<ImageFormat> detect_format(std::span<const uint8_t> bytes) {
  for (const Magic& magic : magics) {
    if (has(bytes, 0, magic.bytes)) return magic.format;
  }
  if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return ImageFormat::webp;
  if (looks_like_tga(bytes)) return ImageFormat::tga;
  return std::nullopt;
}

std::optional<ImageFormat> format_of_extension(std::string_view extension) {
  std::string lower;
  for (const char c : extension) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  struct Entry {
    std::string_view extension;
    ImageFormat format;
  };
  static constexpr Entry entries[] = {
      {".jpg", ImageFormat::jpeg},  {".jpeg", ImageFormat::jpeg}, {".jpe", ImageFormat::jpeg},
      {".jfif", ImageFormat::jpeg}, {".mpo", ImageFormat::jpeg},  {".png", ImageFormat::png},
      {".apng", ImageFormat::png},  {".webp", ImageFormat::webp}, {".bmp", ImageFormat::bmp},
      {".dib", ImageFormat::bmp},   {".gif", ImageFormat::gif},   {".tga", ImageFormat::tga},
      {".psd", ImageFormat::psd},   {".hdr", ImageFormat::hdr},   {".pnm", ImageFormat::pnm},
      {".ppm", ImageFormat::pnm},   {".pgm", ImageFormat::pnm},
  };
  for (const Entry& entry : entries) {
    if (entry.extension == lower) return entry.format;
  }
  return std::nullopt;
}

void compose_rgba(const uint8_t* rgba, const std::array<uint8_t, 3>& background, Image& image) {
  for (size_t p = 0; p < image.pixels.size() / 3; ++p) {
    const int alpha = rgba[4 * p + 3];
    for (size_t c = 0; c < 3; ++c) {
      const int sum = alpha * rgba[4 * p + c] + (255 - alpha) * background[c];
      image.pixels[3 * p + c] = static_cast<uint8_t>((sum + 127) / 255);
    }
  }
}

void check_size(int64_t width, int64_t height, const DecodeOptions& options) {
  require(width >= 1 && height >= 1, Defect::corrupt, "the header states a size of ", width, "x",
          height);
  require(width <= options.max_pixels / height, Defect::too_large, "the header states ", width, "x",
          height, " pixels, more than the limit of ", options.max_pixels);
}

Decoded decode_with_info(std::span<const uint8_t> bytes, std::string_view name,
                         const DecodeOptions& options) {
  try {
    return decode_unnamed(bytes, options);
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str(name, ": not enough memory to decode it"));
  } catch (const DecodeError& error) {
    throw DecodeError(error.defect(), str(name, ": ", error.what()));
  }
}

Image decode(std::span<const uint8_t> bytes, std::string_view name, const DecodeOptions& options) {
  return decode_with_info(bytes, name, options).image;
}

Image load_image(const std::filesystem::path& path, const DecodeOptions& options) {
  return decode(read_file(path), path.string(), options);
}

}  // namespace burin::data
