#pragma once

#include <array>
#include <cstdint>

#include "burin/data/image.h"

namespace burin::data {

/// Difference hash: bit 8 y + x tells whether pixel (x, y) of the image, grey and resized to 9×8,
/// is brighter than its right neighbour. 0 for a picture without detail, which resembles nothing.
/// Krawetz 2013, "Kind of like that".
uint64_t difference_hash(const Image& image);

/// What is kept of a picture to know a copy of it that was resized or compressed again.
struct Look {
  uint64_t hash = 0;                            // difference hash
  std::array<uint8_t, 16 * 16> thumbnail = {};  // grey
};
Look look_of(const Image& image);

/// Whether the hashes differ in at most `distance` bits and the thumbnails hardly. Both must say
/// so: portraits that are aligned alike often share a hash of 64 bits, and pictures of one mood
/// share a thumbnail.
bool look_alike(const Look& a, const Look& b, int distance);

}  // namespace burin::data
