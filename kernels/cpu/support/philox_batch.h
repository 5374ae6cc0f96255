#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace burin::cpu {

/// The words of 32 neighbouring Philox blocks (base/random.h), drawn side by side so that the
/// compiler keeps one block in each vector lane.
struct PhiloxBatch {
  static constexpr int64_t blocks = 32;
  static constexpr int64_t elements = 4 * blocks;
  std::array<uint32_t, elements> words;

  void draw(uint64_t seed, uint64_t offset, uint64_t first_block) {
    uint32_t c0[blocks], c1[blocks], c2[blocks], c3[blocks];
    for (uint32_t l = 0; l < blocks; ++l) {
      c0[l] = static_cast<uint32_t>(first_block + l);
      c1[l] = static_cast<uint32_t>((first_block + l) >> 32);
      c2[l] = static_cast<uint32_t>(offset);
      c3[l] = static_cast<uint32_t>(offset >> 32);
    }
    uint32_t key0 = static_cast<uint32_t>(seed);
    uint32_t key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
      for (int64_t l = 0; l < blocks; ++l) {
        const uint64_t product0 = uint64_t{0xD2511F53u} * c0[l];
        const uint64_t product1 = uint64_t{0xCD9E8D57u} * c2[l];
        c0[l] = static_cast<uint32_t>(product1 >> 32) ^ c1[l] ^ key0;
        c1[l] = static_cast<uint32_t>(product1);
        c2[l] = static_cast<uint32_t>(product0 >> 32) ^ c3[l] ^ key1;
        c3[l] = static_cast<uint32_t>(product0);
      }
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    for (size_t l = 0; l < blocks; ++l) {
      words[4 * l] = c0[l];
      words[4 * l + 1] = c1[l];
      words[4 * l + 2] = c2[l];
      words[4 * l + 3] = c3[l];
    }
  }
};

/// Calls use(words, i, count) with the words of the elements i … i + count − 1, piece by piece, for
/// all elements of [begin, end).
template <class Use>
void for_each_philox_words(uint64_t seed, uint64_t offset, int64_t begin, int64_t end,
                           const Use& use) {
  PhiloxBatch batch;
  while (begin < end) {
    const int64_t first = begin / PhiloxBatch::elements * PhiloxBatch::elements;
    batch.draw(seed, offset, static_cast<uint64_t>(first / 4));
    const int64_t stop = std::min(first + PhiloxBatch::elements, end);
    use(batch.words.data() + (begin - first), begin, stop - begin);
    begin = stop;
  }
}

}  // namespace burin::cpu
