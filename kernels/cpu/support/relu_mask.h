#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/view.h"

namespace burin::cpu {

/// The ReLU mask of batch_norm.h: bit i % 8 of byte i / 8 says whether element i passed.

inline constexpr int mask_word = 32;  // bits that are looked at together

/// Bit i of a word, for a loop over its bits in vectors.
inline constexpr std::array<uint32_t, mask_word> mask_bit = [] {
  std::array<uint32_t, mask_word> bits{};
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = uint32_t{1} << i;
  return bits;
}();

/// Writes the mask of `count` elements that begin at a byte of it. Elements are judged as stored,
/// so that the mask is that of y whatever its dtype. Spare bits become 0.
template <class T>
void write_relu_mask(const T* y, int64_t count, uint8_t* mask) {
  const auto passes = [](T value) { return !(static_cast<float>(value) <= 0); };  // NaN passes
  const int64_t whole = count / mask_word * mask_word;
  for (int64_t begin = 0; begin < whole; begin += mask_word) {
    uint32_t bits = 0;
#pragma omp simd reduction(| : bits)
    for (size_t i = 0; i < mask_word; ++i) bits |= passes(y[begin + i]) ? mask_bit[i] : 0;
    std::memcpy(mask + begin / 8, &bits, sizeof bits);
  }
  for (int64_t begin = whole; begin < count; begin += 8) {
    uint32_t bits = 0;
    for (int64_t i = begin; i < std::min(begin + 8, count); ++i) {
      bits |= passes(y[i]) ? mask_bit[i - begin] : 0;
    }
    mask[begin / 8] = static_cast<uint8_t>(bits);
  }
}

/// out[i] = dy[i] where the mask lets it pass, else 0. Begins at a byte of the mask.
template <class T>
void apply_relu_mask(const T* dy, const uint8_t* mask, int64_t count, float* out) {
  const int64_t whole = count / mask_word * mask_word;
  for (int64_t begin = 0; begin < whole; begin += mask_word) {
    uint32_t bits = 0;
    std::memcpy(&bits, mask + begin / 8, sizeof bits);
#pragma omp simd
    for (size_t i = 0; i < mask_word; ++i) {
      const float value = static_cast<float>(dy[begin + i]);
      out[begin + i] = (bits & mask_bit[i]) != 0 ? value : 0.0f;
    }
  }
  for (int64_t i = whole; i < count; ++i) {
    out[i] = (mask[i / 8] >> (i % 8) & 1) != 0 ? static_cast<float>(dy[i]) : 0.0f;
  }
}

/// g = dy where the ReLU let it pass, as floats.
template <class T>
class PassedGradient {
 public:
  /// An absent mask lets all pass.
  PassedGradient(const ConstView& dy, const ConstView& relu_mask)
      : dy_(dy.as<T>()), mask_(relu_mask.as<uint8_t>()), numel_(dy.numel()) {}

  /// Elements an answer may need for a stretch of `length`: it begins and ends at bytes of the
  /// mask.
  static int64_t room_for(int64_t length) { return length + 16; }

  /// Element `begin` and what follows up to `end`; in `buffer`, unless dy can be used as it is.
  const float* load(int64_t begin, int64_t end, float* buffer) const {
    if (mask_ != nullptr) {
      const int64_t first = begin / 8 * 8;
      const int64_t last = std::min(round_up(end, 8), numel_);
      apply_relu_mask(dy_ + first, mask_ + first / 8, last - first, buffer);
      return buffer + (begin - first);
    }
    if constexpr (std::is_same_v<T, float>) {
      return dy_ + begin;
    } else {
      for (int64_t i = begin; i < end; ++i) buffer[i - begin] = static_cast<float>(dy_[i]);
      return buffer;
    }
  }

 private:
  const T* dy_;
  const uint8_t* mask_;
  int64_t numel_;
};

}  // namespace burin::cpu
