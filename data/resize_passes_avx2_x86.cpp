// The passes with AVX2, two lanes of 16 bytes; compiled for it, so called where the CPU has it.
#include <immintrin.h>

#include "burin/data/resize_passes_lanes.h"

namespace burin::data {

struct LanesAvx2 {
  using Vector = __m256i;
  static constexpr int count = 2;

  static Vector zero() { return _mm256_setzero_si256(); }
  static Vector all(int32_t value) { return _mm256_set1_epi32(value); }
  template <class... Bytes>
  static Vector bytes(Bytes... of_a_lane) {
    return _mm256_setr_epi8(static_cast<char>(of_a_lane)..., static_cast<char>(of_a_lane)...);
  }
  static Vector load(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Vector load(const uint8_t* const* row, int64_t offset) {
    return _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(row[1] + offset),
                               reinterpret_cast<const __m128i*>(row[0] + offset));
  }
  static void store(uint8_t* to, Vector a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a);
  }
  static Vector add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  static Vector multiply_pairs(Vector a, Vector b) { return _mm256_madd_epi16(a, b); }
  template <int bits>
  static Vector shift_left(Vector a) {
    return _mm256_slli_epi32(a, bits);
  }
  template <int bits>
  static Vector shift_right(Vector a) {
    return _mm256_srai_epi32(a, bits);
  }
  static Vector pick(Vector a, Vector places) { return _mm256_shuffle_epi8(a, places); }
  static Vector interleave_low(Vector a, Vector b) { return _mm256_unpacklo_epi8(a, b); }
  static Vector interleave_high(Vector a, Vector b) { return _mm256_unpackhi_epi8(a, b); }
  static Vector pack_integers(Vector a, Vector b) { return _mm256_packus_epi32(a, b); }
  static Vector pack_words(Vector a, Vector b) { return _mm256_packus_epi16(a, b); }
};

int64_t horizontal_rows_avx2(const Rows& from, int64_t begin, int64_t end, const Taps& taps,
                             const TapPair* pairs, uint8_t* to) {
  return horizontal_rows<LanesAvx2>(from, begin, end, taps, pairs, to);
}

void vertical_rows_avx2(const Rows& from, int64_t first_row, const Taps& taps, const TapPair* pairs,
                        int64_t row_bytes, uint8_t* to) {
  vertical_rows<LanesAvx2>(from, first_row, taps, pairs, row_bytes, to);
}

}  // namespace burin::data
