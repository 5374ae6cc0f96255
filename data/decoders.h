#pragma once

#include <cstdint>
#include <span>

#include "burin/data/decode.h"

/// One function per library, and our own for PNM; for decode.cpp only. Each throws DecodeError with
/// the bare reason.
namespace burin::data {

Decoded decode_jpeg(std::span<const uint8_t> bytes, const DecodeOptions& options);
Decoded decode_png(std::span<const uint8_t> bytes, const DecodeOptions& options);
Decoded decode_webp(std::span<const uint8_t> bytes, const DecodeOptions& options);
Decoded decode_pnm(std::span<const uint8_t> bytes, const DecodeOptions& options);
/// BMP, GIF, TGA, PSD, HDR
Decoded decode_stb(std::span<const uint8_t> bytes, ImageFormat format,
                   const DecodeOptions& options);

/// Throws DecodeError made of `parts` unless `condition` holds.
template <class... Parts>
void require(bool condition, Defect defect, const Parts&... parts) {
  if (!condition) [[unlikely]] {
    throw DecodeError(defect, str(parts...));
  }
}

/// Throws DecodeError unless an image of this size may be decoded. Called before memory is asked
/// for.
void check_size(int64_t width, int64_t height, const DecodeOptions& options);

/// Throws DecodeError where the first picture of a GIF has far more than `pixels` pixels. stb_image
/// walks all that a code stands for, up to 8192, also past the last pixel: 0.6 s for a file of 118
/// KB that shows one pixel.
void check_gif_raster(std::span<const uint8_t> file, int64_t pixels);

/// image ← alpha · rgba + (1 − alpha) · background, rounded; `rgba` holds its pixels densely.
void compose_rgba(const uint8_t* rgba, const std::array<uint8_t, 3>& background, Image& image);

}  // namespace burin::data
