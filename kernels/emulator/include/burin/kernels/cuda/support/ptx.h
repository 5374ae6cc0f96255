#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// The twins of kernels/cuda/support/ptx.h, which says what each function does. Where PTX leaves
// lanes undefined behaviour, KernelError is thrown.

namespace burin::cuda {

inline void copy_async_16(void* shared, const void* global, bool valid) {
  emulator::copy_async(shared, global, 16, valid ? 16 : 0);
}
inline void copy_async_16_cached(void* shared, const void* global, bool valid) {
  copy_async_16(shared, global, valid);
}
inline void copy_async_commit() {
  emulator::copy_async_commit();
}
template <int groups>
void copy_async_wait() {
  emulator::copy_async_wait(groups);
}

inline float exp2_approximate(float x) {
  return std::exp2(x);
}

/// What one lane brings to a load of four matrices.
struct MatrixRow {
  const uint16_t* row;
  uint32_t* to;
};

inline void load_matrices(uint32_t (&to)[4], const void* row,
                          const Where& where = Where::current()) {
  MatrixRow slot{static_cast<const uint16_t*>(row), to};
  emulator::exchange(~0u, "ldmatrix", where, slot, [](MatrixRow** lanes, unsigned /*mask*/) {
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        std::memcpy(&lanes[lane]->to[i], lanes[8 * i + lane / 4]->row + 2 * (lane % 4), 4);
      }
    }
  });
}

inline void load_matrices_transposed(uint32_t (&to)[4], const void* row,
                                     const Where& where = Where::current()) {
  MatrixRow slot{static_cast<const uint16_t*>(row), to};
  emulator::exchange(~0u, "ldmatrix.trans", where, slot, [](MatrixRow** lanes, unsigned /*mask*/) {
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const uint32_t low = lanes[8 * i + 2 * (lane % 4)]->row[lane / 4];
        const uint32_t high = lanes[8 * i + 2 * (lane % 4) + 1]->row[lane / 4];
        lanes[lane]->to[i] = low | high << 16;
      }
    }
  });
}

/// What one lane brings to a product.
struct MatrixFragments {
  float* d;
  const uint32_t* a;
  uint32_t b[2];
};

template <class T>
float element(uint32_t pair, int i) {
  T value;
  value.bits = static_cast<uint16_t>(pair >> (16 * i));
  return float(value);
}

template <class T>
void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, T /*type*/,
                  const Where& where = Where::current()) {
  MatrixFragments slot{d, a, {b0, b1}};
  emulator::exchange(~0u, "mma", where, slot, [](MatrixFragments** lanes, unsigned /*mask*/) {
    float left[16][16], right[16][8], sum[16][8] = {};
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4;
      for (int e = 0; e < 2; ++e) {
        for (int i = 0; i < 4; ++i) {
          left[g + 8 * (i % 2)][2 * t + 8 * (i / 2) + e] = element<T>(lanes[lane]->a[i], e);
        }
        for (int i = 0; i < 2; ++i) right[2 * t + 8 * i + e][g] = element<T>(lanes[lane]->b[i], e);
      }
    }
    for (int m = 0; m < 16; ++m) {
      for (int k = 0; k < 16; ++k) {
        for (int n = 0; n < 8; ++n) sum[m][n] += left[m][k] * right[k][n];
      }
    }
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        lanes[lane]->d[i] += sum[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2];
      }
    }
  });
}

}  // namespace burin::cuda
