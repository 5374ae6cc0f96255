#pragma once

#include "burin/kernels/base/half.h"

// CUDA's 16-bit floats: 16 bits of storage; arithmetic is float's, rounded after each operation.

namespace burin::emulator {

/// What __half and __nv_bfloat16 share; Storage is the type of base/half.h that rounds.
template <class Storage>
struct Float16 {
  uint16_t bits;

  Float16() = default;
  Float16(float value) : bits(Storage(value).bits) {}  // NOLINT(google-explicit-constructor)
  operator float() const {                             // NOLINT(google-explicit-constructor)
    Storage storage;
    storage.bits = bits;
    return static_cast<float>(storage);
  }
  Float16& operator+=(Float16 other) { return *this = float(*this) + float(other); }
  Float16& operator-=(Float16 other) { return *this = float(*this) - float(other); }
  Float16& operator*=(Float16 other) { return *this = float(*this) * float(other); }
};

}  // namespace burin::emulator

struct __half : burin::emulator::Float16<burin::float16> {
  using Float16::Float16;
};
struct __nv_bfloat16 : burin::emulator::Float16<burin::bfloat16> {
  using Float16::Float16;
};
struct alignas(4) __half2 {
  __half x, y;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __half __float2half(float value) {
  return value;
}
inline float __half2float(__half value) {
  return value;
}
inline __half2 __floats2half2_rn(float x, float y) {
  return {x, y};
}
inline __nv_bfloat16 __float2bfloat16(float value) {
  return value;
}
inline float __bfloat162float(__nv_bfloat16 value) {
  return value;
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {x, y};
}
