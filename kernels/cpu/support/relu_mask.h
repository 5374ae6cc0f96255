#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/base/view.h"

namespace burin::cpu {

/// The ReLU mask of batch_norm.h: bit i % 8 of byte i / 8 says whether element i passed.

inline constexpr uint32_t mask_bit[8] = {1, 2, 4, 8, 16, 32, 64, 128};

/// Eight bytes of 0 or 1 → the bits of one byte. The factor moves byte k's bit to bit 56 + k, and
/// no two terms of the product meet.
inline uint8_t pack_eight(const uint8_t* passes) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, passes, 8);
  return static_cast<uint8_t>(bytes * 0x0102040810204080u >> 56);
}

/// Writes the mask of `count` elements that begin at a byte of it. Elements are judged as stored,
/// so that the mask is that of y whatever its dtype. Spare bits become 0.
template <class T>
void write_relu_mask(const T* y, int64_t count, uint8_t* mask) {
  constexpr int64_t block = 64;
  uint8_t passes[block];
  for (int64_t begin = 0; begin < count; begin += block) {
    const int64_t length = count - begin < block ? count - begin : block;
    if (length == block) {
      for (int64_t i = 0; i < block; ++i) {
        passes[i] = static_cast<float>(y[begin + i]) <= 0 ? 0 : 1;  // NaN passes
      }
    } else {
      std::memset(passes, 0, sizeof passes);
      for (int64_t i = 0; i < length; ++i) {
        passes[i] = static_cast<float>(y[begin + i]) <= 0 ? 0 : 1;
      }
    }
    for (int64_t i = 0; i < length; i += 8) mask[(begin + i) / 8] = pack_eight(passes + i);
  }
}

/// out[i] = dy[i] where the mask lets it pass, else 0. Begins at a byte of the mask.
template <class T>
void apply_relu_mask(const T* dy, const uint8_t* mask, int64_t count, float* out) {
  const int64_t whole = count / 8 * 8;
  for (int64_t begin = 0; begin < whole; begin += 8) {
    const uint32_t bits = mask[begin / 8];
#pragma omp simd
    for (int i = 0; i < 8; ++i) {
      const float value = static_cast<float>(dy[begin + i]);
      out[begin + i] = (bits & mask_bit[i]) != 0 ? value : 0.0f;
    }
  }
  for (int64_t i = whole; i < count; ++i) {
    out[i] = (mask[i / 8] & mask_bit[i % 8]) != 0 ? static_cast<float>(dy[i]) : 0.0f;
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
