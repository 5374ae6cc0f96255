#include <span>

#include "burin/data/decode.h"
#include "burin/data/look.h"

/// Any bytes: an image of the size it says, or an Error; and what is decoded can be resized.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace burin::data;
  try {
    const Image image =
        decode(std::span(data, size), "input", {.max_pixels = 1 << 18, .exif_orientation = true});
    look_of(image);
  } catch (const DecodeError&) {
    return 0;
  }
  return 0;
}
