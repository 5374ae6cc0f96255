#pragma once

#include <cstdint>
#include <vector>

/// The two passes of the resize, for resize.cpp only: resize_passes.cpp is portable, on x86-64
/// resize_passes_x86.cpp and resize_passes_avx2_x86.cpp do the same with vectors.
namespace burin::data {

constexpr int precision_bits = 22;  // of a coefficient: 32 − 8 (a pixel) − 2 (sign, overshoot)

/// The source samples of each output sample along one axis. Counts are padded to even with zeros.
struct Taps {
  struct Range {
    int64_t first = 0;  // source index
    int64_t count = 0;
    int64_t padded = 0;        // count, rounded up to even
    int64_t coefficients = 0;  // offset into the list
  };
  std::vector<Range> outputs;
  std::vector<int32_t> coefficients;  // fixed point, `precision_bits` behind the point

  int64_t first_source() const;  // inclusive
  int64_t end_source() const;    // exclusive
};

/// Rows of RGB pixels with a stride in bytes. `bytes` may be read from `data`.
struct Rows {
  const uint8_t* data = nullptr;
  int64_t stride = 0;
  int64_t count = 0;
  int64_t bytes = 0;
};

enum class Instructions { portable, sse, avx2 };

/// The last of them that this CPU has.
Instructions best_instructions();

/// to[y][x] = clip8(Σ_j k_xj · from[y][j]) for each row; `to` is dense, taps.outputs.size() wide.
void horizontal_pass(const Rows& from, const Taps& taps, uint8_t* to,
                     Instructions with = best_instructions());

/// to[y][x] = clip8(Σ_j k_yj · from[j][x]); `to` is dense with rows of `row_bytes`. Row j of the
/// taps is row j − first_row of `from`.
void vertical_pass(const Rows& from, int64_t first_row, const Taps& taps, int64_t row_bytes,
                   uint8_t* to, Instructions with = best_instructions());

/// The same with vectors, where the build has them.
void horizontal_pass_x86(const Rows& from, const Taps& taps, uint8_t* to, bool with_avx2);
void vertical_pass_x86(const Rows& from, int64_t first_row, const Taps& taps, int64_t row_bytes,
                       uint8_t* to, bool with_avx2);

}  // namespace burin::data
