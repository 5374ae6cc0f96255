#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "burin/data/image.h"
#include "burin/kernels/base/error.h"

namespace burin::data {

enum class ImageFormat : uint8_t { jpeg, png, webp, bmp, gif, tga, psd, hdr, pnm };

/// "jpeg", "png", …
std::string_view name_of(ImageFormat format);
std::ostream& operator<<(std::ostream& out, ImageFormat format);

/// The format by content; the file's name is never asked. Nothing for what we can't read.
std::optional<ImageFormat> detect_format(std::span<const uint8_t> bytes);
/// The format that an extension (with its dot, any case) promises, or nothing.
std::optional<ImageFormat> format_of_extension(std::string_view extension);

/// What is wrong with a file that can't be decoded.
enum class Defect : uint8_t {
  empty,        // no bytes at all
  unsupported,  // not an image, or of a kind that is not read here
  too_large,    // more pixels than allowed
  truncated,    // the end is missing
  corrupt,      // anything else
};

/// Thrown by the decoders, so that a scan can tell the defects apart.
class DecodeError : public Error {
 public:
  DecodeError(Defect defect, const std::string& message) : Error(message), defect_(defect) {}
  ~DecodeError() override;
  Defect defect() const { return defect_; }

 private:
  Defect defect_;
};

struct DecodeOptions {
  int64_t max_pixels = 50'000'000;  // checked before anything is allocated for the pixels
  bool exif_orientation = false;    // turn the image upright as its EXIF says; PIL does not
  std::optional<std::array<uint8_t, 3>> background = {};  // behind transparent pixels; else alpha
                                                          // is dropped, as PIL does
};

/// How the file stores its pixels, before we make them RGB.
struct SourceInfo {
  ImageFormat format = ImageFormat::jpeg;
  std::string mode = "rgb";  // "rgb", "grey", "palette" or "cmyk"; with "+alpha"
  int bits = 8;              // a channel
  bool animated = false;     // more than one frame: the first is taken
  int orientation = 1;       // EXIF, 1 to 8
  int warnings = 0;          // what the library complained about and got over
};

struct Decoded {
  Image image;
  SourceInfo source;
};

/// Decodes an image file held in memory to RGB, first frame, as PIL's `convert("RGB")`: grey
/// becomes three equal channels, a palette is looked up, alpha is dropped. Of 16 bits the upper 8
/// are taken (PIL does so for colour; its 16-bit grey comes out white), but a PNM is scaled by its
/// maximum. docs/image_formats.md has the details.
///
/// Throws DecodeError "<name>: <reason>" for anything that is not a sound image.
Decoded decode_with_info(std::span<const uint8_t> bytes, std::string_view name,
                         const DecodeOptions& options = {});
Image decode(std::span<const uint8_t> bytes, std::string_view name,
             const DecodeOptions& options = {});
/// Reads and decodes one file. Throws as read_file() and decode() do.
Image load_image(const std::filesystem::path& path, const DecodeOptions& options = {});

}  // namespace burin::data
