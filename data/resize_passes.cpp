#include "burin/data/resize_passes.h"

#include <algorithm>

namespace burin::data {
namespace {

constexpr int32_t half = 1 << (precision_bits - 1);

uint8_t clip8(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> precision_bits, 0, 255));
}

#ifdef __x86_64__
constexpr bool has_vectors = true;
#else
constexpr bool has_vectors = false;
#endif

}  // namespace

Instructions best_instructions() {
  if constexpr (!has_vectors) return Instructions::portable;
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return avx2 ? Instructions::avx2 : Instructions::sse;
}

void horizontal_pass(const Rows& from, const Taps& taps, uint8_t* to, Instructions with) {
  if constexpr (has_vectors) {
    if (with != Instructions::portable) {
      return horizontal_pass_x86(from, taps, to, with == Instructions::avx2);
    }
  }
  for (int64_t y = 0; y < from.count; ++y) {
    const uint8_t* row = from.data + y * from.stride;
    for (const Taps::Range& range : taps.outputs) {
      const int32_t* k = taps.coefficients.data() + range.coefficients;
      const uint8_t* pixel = row + range.first * 3;
      int32_t red = half;
      int32_t green = half;
      int32_t blue = half;
      for (int64_t j = 0; j < range.count; ++j) {
        red += k[j] * pixel[3 * j];
        green += k[j] * pixel[3 * j + 1];
        blue += k[j] * pixel[3 * j + 2];
      }
      *to++ = clip8(red);
      *to++ = clip8(green);
      *to++ = clip8(blue);
    }
  }
}

void vertical_pass(const Rows& from, int64_t first_row, const Taps& taps, int64_t row_bytes,
                   uint8_t* to, Instructions with) {
  if constexpr (has_vectors) {
    if (with != Instructions::portable) {
      return vertical_pass_x86(from, first_row, taps, row_bytes, to, with == Instructions::avx2);
    }
  }
  std::vector<int32_t> sums(static_cast<size_t>(row_bytes));
  for (const Taps::Range& range : taps.outputs) {
    std::fill(sums.begin(), sums.end(), half);
    for (int64_t j = 0; j < range.count; ++j) {
      const int32_t k = taps.coefficients[static_cast<size_t>(range.coefficients + j)];
      const uint8_t* row = from.data + (range.first + j - first_row) * from.stride;
      for (int64_t x = 0; x < row_bytes; ++x) sums[static_cast<size_t>(x)] += k * row[x];
    }
    for (int64_t x = 0; x < row_bytes; ++x) to[x] = clip8(sums[static_cast<size_t>(x)]);
    to += row_bytes;
  }
}

}  // namespace burin::data
