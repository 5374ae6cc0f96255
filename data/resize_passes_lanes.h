#pragma once

#include <cstring>

#include "burin/data/resize_passes.h"

// The exact 32-bit sums of 22-bit coefficients by 8-bit pixels, with 16-bit multiplies: a
// coefficient is high · 2^12 + low, two taps go into one pmaddwd, and the halves meet at the end,
//
//   Σ k x = (Σ high x << 12) + Σ low x   (mod 2^32, as the plain sum)
//
// which costs two multiplies for eight taps where pmulld, itself two multiplies inside, does four.
//
// Written once for vectors of one and of two lanes of 16 bytes. `Lanes` is their instructions; each
// file that brings its own is compiled for these, and no other may instantiate with them.
namespace burin::data {

inline constexpr int low_bits = 12;

/// Two taps side by side: what one 32-bit number of pmaddwd multiplies.
struct TapPair {
  int32_t high;
  int32_t low;
};

template <class Lanes>
struct LaneSums {
  using Vector = typename Lanes::Vector;
  Vector high = Lanes::zero();
  Vector low = Lanes::zero();

  void add(Vector pixels, Vector k_high, Vector k_low) {
    high = Lanes::add(high, Lanes::multiply_pairs(pixels, k_high));
    low = Lanes::add(low, Lanes::multiply_pairs(pixels, k_low));
  }
  /// Rounded and shifted to pixels, not yet clipped.
  Vector pixels() const {
    const Vector half = Lanes::all(1 << (precision_bits - 1));
    const Vector sum =
        Lanes::add(Lanes::template shift_left<low_bits>(high), Lanes::add(low, half));
    return Lanes::template shift_right<precision_bits>(sum);
  }
};

/// Four sums' bytes, clipped, lane by lane: the first one's, the second one's, …
template <class Lanes>
typename Lanes::Vector clipped(const LaneSums<Lanes> (&sums)[4]) {
  return Lanes::pack_words(Lanes::pack_integers(sums[0].pixels(), sums[1].pixels()),
                           Lanes::pack_integers(sums[2].pixels(), sums[3].pixels()));
}

/// The same output pixel of several rows, which share its coefficients, four vectors of as many
/// rows as these have lanes. Pixel i of lane l of the result, bytes 4 i to 4 i + 2, is row i ·
/// lanes + l's.
template <class Lanes>
typename Lanes::Vector weigh_pixels(const uint8_t* const* row, int64_t offset, const TapPair* pair,
                                    int64_t pairs) {
  using Vector = typename Lanes::Vector;
  // R0 R1 G0 G1 B0 B1 of the first two pixels of a load as 16-bit numbers, and of the next two.
  const Vector first_two = Lanes::bytes(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const Vector next_two = Lanes::bytes(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  LaneSums<Lanes> sums[4];
  for (; pairs > 0; pairs -= 2, pair += 2, offset += 12) {
    const Vector high0 = Lanes::all(pair[0].high);
    const Vector low0 = Lanes::all(pair[0].low);
    Vector four[4];
    for (int i = 0; i < 4; ++i) {
      four[i] = Lanes::load(row + i * Lanes::count, offset);
      sums[i].add(Lanes::pick(four[i], first_two), high0, low0);
    }
    if (pairs == 1) break;
    const Vector high1 = Lanes::all(pair[1].high);
    const Vector low1 = Lanes::all(pair[1].low);
    for (int i = 0; i < 4; ++i) sums[i].add(Lanes::pick(four[i], next_two), high1, low1);
  }
  return clipped(sums);
}

/// As horizontal_pass from row `begin` on, 4 · lanes rows at a time; the first row that is not
/// done, for fewer are left before `end`. Reads up to 16 bytes behind a row's last pixel.
template <class Lanes>
int64_t horizontal_rows(const Rows& from, int64_t begin, int64_t end, const Taps& taps,
                        const TapPair* pairs, uint8_t* to) {
  constexpr int together = 4 * Lanes::count;
  const size_t stride = 3 * taps.outputs.size();
  int64_t y = begin;
  for (; y + together <= end; y += together) {
    const uint8_t* row[together];
    for (int r = 0; r < together; ++r) row[r] = from.data + (y + r) * from.stride;
    uint8_t* rgb = to + static_cast<size_t>(y) * stride;
    for (const Taps::Range& range : taps.outputs) {
      const TapPair* pair = pairs + range.coefficients / 2;
      alignas(32) uint8_t pixels[4 * together];
      Lanes::store(pixels, weigh_pixels<Lanes>(row, range.first * 3, pair, range.padded / 2));
      for (int r = 0; r < together; ++r) {
        const uint8_t* const pixel = pixels + r % Lanes::count * 16 + r / Lanes::count * 4;
        std::memcpy(rgb + static_cast<size_t>(r) * stride, pixel, 2);
        rgb[static_cast<size_t>(r) * stride + 2] = pixel[2];
      }
      rgb += 3;
    }
  }
  return y;
}

/// 16 bytes of an output row for each lane. The taps are rows of `from`; a padded one repeats the
/// row before it.
template <class Lanes>
typename Lanes::Vector weigh_rows(const uint8_t* column, int64_t stride, const Taps::Range& range,
                                  const TapPair* pair) {
  using Vector = typename Lanes::Vector;
  const Vector zero = Lanes::zero();
  LaneSums<Lanes> sums[4];
  for (int64_t j = 0; j < range.count; j += 2, ++pair) {
    const int64_t next = j + 1 < range.count ? j + 1 : j;
    const Vector a = Lanes::load(column + j * stride);
    const Vector b = Lanes::load(column + next * stride);
    const Vector k_high = Lanes::all(pair->high);
    const Vector k_low = Lanes::all(pair->low);
    const Vector left = Lanes::interleave_low(a, b);
    const Vector right = Lanes::interleave_high(a, b);
    sums[0].add(Lanes::interleave_low(left, zero), k_high, k_low);
    sums[1].add(Lanes::interleave_high(left, zero), k_high, k_low);
    sums[2].add(Lanes::interleave_low(right, zero), k_high, k_low);
    sums[3].add(Lanes::interleave_high(right, zero), k_high, k_low);
  }
  return clipped(sums);
}

/// As vertical_pass, of rows that are no shorter than a vector: the last one of a row ends with it.
template <class Lanes>
void vertical_rows(const Rows& from, int64_t first_row, const Taps& taps, const TapPair* pairs,
                   int64_t row_bytes, uint8_t* to) {
  constexpr int64_t width = 16 * Lanes::count;
  for (const Taps::Range& range : taps.outputs) {
    const uint8_t* rows = from.data + (range.first - first_row) * from.stride;
    const TapPair* pair = pairs + range.coefficients / 2;
    for (int64_t x = 0; x < row_bytes; x += width) {
      const int64_t at = x + width <= row_bytes ? x : row_bytes - width;
      Lanes::store(to + at, weigh_rows<Lanes>(rows + at, from.stride, range, pair));
    }
    to += row_bytes;
  }
}

/// Both with AVX2, for CPUs that have it.
int64_t horizontal_rows_avx2(const Rows& from, int64_t begin, int64_t end, const Taps& taps,
                             const TapPair* pairs, uint8_t* to);
void vertical_rows_avx2(const Rows& from, int64_t first_row, const Taps& taps, const TapPair* pairs,
                        int64_t row_bytes, uint8_t* to);

}  // namespace burin::data
