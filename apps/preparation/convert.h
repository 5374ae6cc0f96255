#pragma once

#include <array>
#include <optional>
#include <string>

#include "burin/apps/preparation/plan.h"
#include "burin/data/image.h"

namespace burin::apps {

/// What becomes of the pixels.
struct Conversion {
  int64_t size = 0;             // shorter side; 0: as it is. Nothing is enlarged
  std::string format = "keep";  // "jpg", "png"; "keep": what is RGB JPEG or PNG stays byte for byte
  int quality = 95;             // of JPEGs
  std::optional<std::array<uint8_t, 3>> background = {};  // behind transparent pixels
  bool link = false;  // a file that stays as it is becomes a symbolic link
};

/// "white", "black", "grey" or "#rrggbb". Throws Error otherwise.
std::array<uint8_t, 3> parse_color(const std::string& text);

/// Decodes for the fingerprints of a SourceImage. Throws Error for a file that can't be used.
void fingerprint_image(SourceImage& image);

struct Converted {
  std::string path;  // with the extension that the content has
  int64_t width = 0, height = 0;
  bool untouched = false;  // the bytes are the source's
};

/// Writes an image to `path`, which has no extension yet. Throws Error where the source can't be
/// used, and Failure where nothing can be written.
Converted convert_image(const std::string& source, const std::string& path,
                        const Conversion& conversion);

}  // namespace burin::apps
