#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace burin {

/// Philox 4x32-10: four random words from a 128-bit counter and a 64-bit key, the same on every
/// device (constexpr, so that nvcc takes it for device code too). Salmon et al. 2011, "Parallel
/// random numbers: as easy as 1, 2, 3", section 3.3.
constexpr std::array<uint32_t, 4> philox(uint64_t seed, uint64_t offset, uint64_t index) {
  std::array<uint32_t, 4> counter = {
      static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
      static_cast<uint32_t>(offset), static_cast<uint32_t>(offset >> 32)};
  uint32_t key0 = static_cast<uint32_t>(seed);
  uint32_t key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Word `element % 4` of block `element / 4`: random access, so threads may split a tensor as they
/// like.
constexpr uint32_t philox_word(uint64_t seed, uint64_t offset, uint64_t element) {
  return philox(seed, offset, element / 4)[element % 4];
}

/// Uniform in [0, 1): the upper 24 bits, so that every value is exact in float.
constexpr float uniform_from(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// Standard normal from two words by Box and Muller; u1 in (0, 1] keeps the logarithm finite.
inline float normal_from(uint32_t word1, uint32_t word2) {
  const float u1 = static_cast<float>((word1 >> 8) + 1) * 0x1p-24f;
  const float u2 = uniform_from(word2);
  return std::sqrt(-2.0f * std::log(u1)) * std::cos(6.28318530717958648f * u2);
}

}  // namespace burin
