#include <smmintrin.h>

#include <algorithm>
#include <cstring>

#include "burin/data/resize_passes.h"

// The exact 32-bit sums of 22-bit coefficients by 8-bit pixels, with 16-bit multiplies: a
// coefficient is high · 2^12 + low, two taps go into one pmaddwd, and the halves meet at the end,
//
//   Σ k x = (Σ high x << 12) + Σ low x   (mod 2^32, as the plain sum)
//
// which costs two multiplies for eight taps where pmulld, itself two multiplies inside, does four.
namespace burin::data {
namespace {

constexpr int low_bits = 12;

/// Two taps side by side: what one 32-bit lane of pmaddwd multiplies.
struct TapPair {
  int32_t high;
  int32_t low;
};

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

struct Sums {
  __m128i high = _mm_setzero_si128();
  __m128i low = _mm_setzero_si128();

  void add(__m128i pixels, __m128i k_high, __m128i k_low) {
    high = _mm_add_epi32(high, _mm_madd_epi16(pixels, k_high));
    low = _mm_add_epi32(low, _mm_madd_epi16(pixels, k_low));
  }
  /// Rounded and shifted to pixels, not yet clipped.
  __m128i pixels() const {
    const __m128i half = _mm_set1_epi32(1 << (precision_bits - 1));
    const __m128i sum = _mm_add_epi32(_mm_slli_epi32(high, low_bits), _mm_add_epi32(low, half));
    return _mm_srai_epi32(sum, precision_bits);
  }
};

__m128i load16(const uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

/// The same output pixel of several rows, which share its coefficients. Pixel r of the result is
/// bytes 4 r to 4 r + 2.
template <int rows>
__m128i weigh_pixels(const uint8_t* const (&row)[rows], int64_t offset, const TapPair* pair,
                     int64_t pairs) {
  // R0 R1 G0 G1 B0 B1 of the first two pixels of a load as 16-bit numbers, and of the next two.
  const __m128i first_two = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m128i next_two =
      _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  Sums sums[rows];
  for (; pairs >= 2; pairs -= 2, pair += 2, offset += 12) {
    const __m128i high0 = _mm_set1_epi32(pair[0].high);
    const __m128i low0 = _mm_set1_epi32(pair[0].low);
    const __m128i high1 = _mm_set1_epi32(pair[1].high);
    const __m128i low1 = _mm_set1_epi32(pair[1].low);
    for (int r = 0; r < rows; ++r) {
      const __m128i four = load16(row[r] + offset);
      sums[r].add(_mm_shuffle_epi8(four, first_two), high0, low0);
      sums[r].add(_mm_shuffle_epi8(four, next_two), high1, low1);
    }
  }
  if (pairs == 1) {
    const __m128i high = _mm_set1_epi32(pair->high);
    const __m128i low = _mm_set1_epi32(pair->low);
    for (int r = 0; r < rows; ++r) {
      const __m128i two = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row[r] + offset));
      sums[r].add(_mm_shuffle_epi8(two, first_two), high, low);
    }
  }
  if constexpr (rows == 1) {
    const __m128i words = _mm_packus_epi32(sums[0].pixels(), sums[0].pixels());
    return _mm_packus_epi16(words, words);
  } else {
    return _mm_packus_epi16(_mm_packus_epi32(sums[0].pixels(), sums[1].pixels()),
                            _mm_packus_epi32(sums[2].pixels(), sums[3].pixels()));
  }
}

template <int rows>
void horizontal_rows(const uint8_t* const (&row)[rows], const Taps& taps,
                     const std::vector<TapPair>& pairs, uint8_t* to) {
  const size_t stride = 3 * taps.outputs.size();
  for (const Taps::Range& range : taps.outputs) {
    const TapPair* pair = &pairs[static_cast<size_t>(range.coefficients / 2)];
    const __m128i pixels = weigh_pixels<rows>(row, range.first * 3, pair, range.padded / 2);
    const int32_t pixel[] = {_mm_cvtsi128_si32(pixels), _mm_extract_epi32(pixels, 1),
                             _mm_extract_epi32(pixels, 2), _mm_extract_epi32(pixels, 3)};
    for (size_t r = 0; r < rows; ++r) {
      uint8_t* rgb = to + r * stride;
      const auto red_green = static_cast<uint16_t>(pixel[r]);
      std::memcpy(rgb, &red_green, 2);
      rgb[2] = static_cast<uint8_t>(pixel[r] >> 16);
    }
    to += 3;
  }
}

/// 16 bytes of an output row. The taps are rows of `from`; a padded one repeats the row before it.
__m128i weigh_rows(const uint8_t* column, int64_t stride, const Taps::Range& range,
                   const TapPair* pair) {
  const __m128i zero = _mm_setzero_si128();
  Sums sums[4];
  for (int64_t j = 0; j < range.count; j += 2, ++pair) {
    const __m128i a = load16(column + j * stride);
    const __m128i b = load16(column + std::min(j + 1, range.count - 1) * stride);
    const __m128i k_high = _mm_set1_epi32(pair->high);
    const __m128i k_low = _mm_set1_epi32(pair->low);
    const __m128i left = _mm_unpacklo_epi8(a, b);
    const __m128i right = _mm_unpackhi_epi8(a, b);
    sums[0].add(_mm_unpacklo_epi8(left, zero), k_high, k_low);
    sums[1].add(_mm_unpackhi_epi8(left, zero), k_high, k_low);
    sums[2].add(_mm_unpacklo_epi8(right, zero), k_high, k_low);
    sums[3].add(_mm_unpackhi_epi8(right, zero), k_high, k_low);
  }
  return _mm_packus_epi16(_mm_packus_epi32(sums[0].pixels(), sums[1].pixels()),
                          _mm_packus_epi32(sums[2].pixels(), sums[3].pixels()));
}

}  // namespace

void horizontal_pass(const Rows& from, const Taps& taps, uint8_t* to) {
  const std::vector<TapPair> pairs = pair_up(taps);
  const auto row_bytes = static_cast<int64_t>(taps.outputs.size()) * 3;
  // A load may reach this far past a row: the last rows are read from a copy with room behind it.
  constexpr int64_t reach = 32;
  const int64_t reachable = std::min(from.count, (from.bytes - reach) / from.stride);
  int64_t y = 0;
  for (; y + 4 <= reachable; y += 4, to += 4 * row_bytes) {
    const uint8_t* row = from.data + y * from.stride;
    horizontal_rows<4>({row, row + from.stride, row + 2 * from.stride, row + 3 * from.stride}, taps,
                       pairs, to);
  }
  std::vector<uint8_t> copy(static_cast<size_t>(from.stride + reach));
  for (; y < from.count; ++y, to += row_bytes) {
    std::copy_n(from.data + y * from.stride, from.stride, copy.data());
    horizontal_rows<1>({copy.data()}, taps, pairs, to);
  }
}

void vertical_pass(const Rows& from, int64_t first_row, const Taps& taps, int64_t row_bytes,
                   uint8_t* to) {
  const std::vector<TapPair> pairs = pair_up(taps);
  for (const Taps::Range& range : taps.outputs) {
    const uint8_t* rows = from.data + (range.first - first_row) * from.stride;
    const TapPair* pair = &pairs[static_cast<size_t>(range.coefficients / 2)];
    int64_t x = 0;
    for (; x + 16 <= row_bytes; x += 16) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + x),
                       weigh_rows(rows + x, from.stride, range, pair));
    }
    for (; x < row_bytes; ++x) {
      int32_t sum = 1 << (precision_bits - 1);
      for (int64_t j = 0; j < range.count; ++j) {
        sum += taps.coefficients[static_cast<size_t>(range.coefficients + j)] *
               rows[j * from.stride + x];
      }
      to[x] = static_cast<uint8_t>(std::clamp(sum >> precision_bits, 0, 255));
    }
    to += row_bytes;
  }
}

}  // namespace burin::data
