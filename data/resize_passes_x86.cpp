// The passes with SSE4.1, which every x86-64-v2 has, and the choice of AVX2.
#include <smmintrin.h>

#include <algorithm>

#include "burin/data/resize_passes_lanes.h"

namespace burin::data {
namespace {

int32_t pack(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<uint32_t>(b) << 16) |
                              (static_cast<uint32_t>(a) & 0xffffu));
}

std::vector<TapPair> pair_up(const Taps& taps) {
  constexpr int32_t low_mask = (1 << low_bits) - 1;
  std::vector<TapPair> pairs(taps.coefficients.size() / 2);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const int32_t a = taps.coefficients[2 * i];
    const int32_t b = taps.coefficients[2 * i + 1];
    pairs[i] = {pack(a >> low_bits, b >> low_bits), pack(a & low_mask, b & low_mask)};
  }
  return pairs;
}

}  // namespace

struct LanesSse {
  using Vector = __m128i;
  static constexpr int count = 1;

  static Vector zero() { return _mm_setzero_si128(); }
  static Vector all(int32_t value) { return _mm_set1_epi32(value); }
  template <class... Bytes>
  static Vector bytes(Bytes... of_a_lane) {
    return _mm_setr_epi8(static_cast<char>(of_a_lane)...);
  }
  static Vector load(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Vector load(const uint8_t* const* row, int64_t offset) { return load(row[0] + offset); }
  static void store(uint8_t* to, Vector a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), a); }
  static Vector add(Vector a, Vector b) { return _mm_add_epi32(a, b); }
  static Vector multiply_pairs(Vector a, Vector b) { return _mm_madd_epi16(a, b); }
  template <int bits>
  static Vector shift_left(Vector a) {
    return _mm_slli_epi32(a, bits);
  }
  template <int bits>
  static Vector shift_right(Vector a) {
    return _mm_srai_epi32(a, bits);
  }
  static Vector pick(Vector a, Vector places) { return _mm_shuffle_epi8(a, places); }
  static Vector interleave_low(Vector a, Vector b) { return _mm_unpacklo_epi8(a, b); }
  static Vector interleave_high(Vector a, Vector b) { return _mm_unpackhi_epi8(a, b); }
  static Vector pack_integers(Vector a, Vector b) { return _mm_packus_epi32(a, b); }
  static Vector pack_words(Vector a, Vector b) { return _mm_packus_epi16(a, b); }
};

void horizontal_pass_x86(const Rows& from, const Taps& taps, uint8_t* to, bool with_avx2) {
  const std::vector<TapPair> pairs = pair_up(taps);
  const auto row_bytes = static_cast<int64_t>(taps.outputs.size()) * 3;
  // A load may reach this far past a row: the last rows are read from copies with room behind them.
  constexpr int64_t reach = 32;
  constexpr int64_t together = 4;
  const int64_t reachable = std::min(from.count, (from.bytes - reach) / from.stride);
  int64_t y = with_avx2 ? horizontal_rows_avx2(from, 0, reachable, taps, pairs.data(), to) : 0;
  y = horizontal_rows<LanesSse>(from, y, reachable, taps, pairs.data(), to);
  const Rows copies{nullptr, from.stride, together, together * from.stride + reach};
  std::vector<uint8_t> copy(static_cast<size_t>(copies.bytes));
  std::vector<uint8_t> result(static_cast<size_t>(together * row_bytes));
  for (; y < from.count; y += together) {
    const int64_t rows = std::min(together, from.count - y);
    std::copy_n(from.data + y * from.stride,
                std::min(rows * from.stride, from.bytes - y * from.stride), copy.data());
    horizontal_rows<LanesSse>({copy.data(), copies.stride, together, copies.bytes}, 0, together,
                              taps, pairs.data(), result.data());
    std::copy_n(result.data(), rows * row_bytes, to + y * row_bytes);
  }
}

void vertical_pass_x86(const Rows& from, int64_t first_row, const Taps& taps, int64_t row_bytes,
                       uint8_t* to, bool with_avx2) {
  const std::vector<TapPair> pairs = pair_up(taps);
  if (with_avx2 && row_bytes >= 32) {
    vertical_rows_avx2(from, first_row, taps, pairs.data(), row_bytes, to);
  } else if (row_bytes >= 16) {
    vertical_rows<LanesSse>(from, first_row, taps, pairs.data(), row_bytes, to);
  } else {
    vertical_pass(from, first_row, taps, row_bytes, to, Instructions::portable);
  }
}

}  // namespace burin::data
