#pragma once

#include <cstdint>
#include <span>

#include "burin/data/image.h"

namespace burin::testing_support {

/// The noise of tests/golden/make_data_golden.py.
inline data::Image noise(int64_t width, int64_t height) {
  data::Image image(width, height);
  auto state = static_cast<uint32_t>(width * 1000003 + height);
  for (uint8_t& value : image.pixels) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(state >> 24);
  }
  return image;
}

/// FNV-1a, 64 bits.
inline uint64_t fnv(std::span<const uint8_t> bytes) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) value = (value ^ byte) * 0x100000001B3u;
  return value;
}

}  // namespace burin::testing_support
