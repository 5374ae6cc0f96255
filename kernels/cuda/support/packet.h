#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "burin/kernels/base/view.h"

namespace burin::cuda {

/// Neighbouring elements that travel in one load or store of 16 bytes.
template <class T>
struct alignas(16) Packet {
  static constexpr int size = 16 / static_cast<int>(sizeof(T));
  T at[size];
};

/// Two 16-bit elements in a word, the first in its low half, to and from floats: an instruction
/// each, where a struct of elements would first be taken apart into halves.
template <class T>
__device__ float half_of(uint32_t word, int which) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __uint_as_float(which == 0 ? word << 16 : word & 0xffff0000u);
  } else {
    const auto bits = static_cast<uint16_t>(which == 0 ? word : word >> 16);
    T value;
    memcpy(&value, &bits, sizeof bits);
    return float(value);
  }
}
template <class T>
__device__ uint32_t word_of(float first, float second) {
  const auto pair = [&] {
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {
      return __floats2bfloat162_rn(first, second);
    } else {
      return __floats2half2_rn(first, second);
    }
  }();
  uint32_t word;
  memcpy(&word, &pair, sizeof word);
  return word;
}

/// Eight neighbouring elements as they lie in memory, read and written as floats: 16 bytes of a
/// 16-bit dtype, 32 of f32. Indices are known to the compiler, so all stays in registers.
template <class T>
struct alignas(16) Eight {
  static constexpr int per_word = 4 / static_cast<int>(sizeof(T));
  uint32_t words[8 / per_word];

  __device__ float operator[](int k) const {
    if constexpr (per_word == 1) {
      return __uint_as_float(words[k]);
    } else {
      return half_of<T>(words[k / 2], k % 2);
    }
  }
  __device__ static Eight of(const float (&values)[8]) {
    Eight eight;
    for (int i = 0; i < 8 / per_word; ++i) {
      if constexpr (per_word == 1) {
        eight.words[i] = __float_as_uint(values[i]);
      } else {
        eight.words[i] = word_of<T>(values[2 * i], values[2 * i + 1]);
      }
    }
    return eight;
  }
  __device__ static Eight at(const T* from) { return *reinterpret_cast<const Eight*>(from); }
  __device__ void store(T* to) const { *reinterpret_cast<Eight*>(to) = *this; }
};

/// Whether the memory begins where a Packet or Eight may.
template <class V>
bool is_aligned(const V& view) {
  return reinterpret_cast<uintptr_t>(view.data) % 16 == 0;
}

}  // namespace burin::cuda
