#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <cstring>

// The twins of kernels/cuda/support/ptx_warpgroup.h, which says what each function does. A
// descriptor is decoded as PTX ISA 8 has it ("Matrix Descriptor Format", "Canonical Layouts"), from
// its bits alone.

namespace burin::cuda {

inline uint32_t shared_address(const void* shared) {
  const auto* const begin = static_cast<const char*>(emulator::dynamic_shared_memory());
  return static_cast<uint32_t>(static_cast<const char*>(shared) - begin);
}

inline void fence_shared_for_products() {}

/// Products belong to all threads of a warpgroup: none goes on alone.
inline void warpgroup_begin(const Where& where = Where::current()) {
  int slot = 0;
  emulator::exchange(~0u, "wgmma.fence", where, slot, [](int** /*lanes*/, unsigned /*mask*/) {});
}
inline void warpgroup_commit() {
  emulator::background_commit();
}
template <int groups>
void warpgroup_wait() {
  emulator::background_wait(groups);
}
inline void settle(float& /*sum*/) {}

/// One operand in shared memory, as the bits of its descriptor say.
struct SharedOperand {
  uint32_t start, leading, stride;  // bytes
  bool along_rows;

  SharedOperand(uint64_t descriptor, bool rows_contiguous)
      : start(field(descriptor, 0)),
        leading(field(descriptor, 16)),
        stride(field(descriptor, 32)),
        along_rows(rows_contiguous) {
    const bool swizzled_128 = descriptor >> 62 == 1, base_offset = (descriptor >> 49 & 7) != 0;
    if (!swizzled_128 || base_offset) {
      throw emulator::KernelError("wgmma: only tiles with 128-byte swizzle at multiples of 1024");
    }
  }

  static uint32_t field(uint64_t descriptor, int bit) {
    return static_cast<uint32_t>(descriptor >> bit & 0x3fff) << 4;
  }

  /// Address bits 4 to 6 are permuted by bits 7 to 9: the 16-byte chunk of a line by its number.
  uint32_t address(int row, int k) const {
    const uint32_t r = static_cast<uint32_t>(row), c = static_cast<uint32_t>(k);
    const uint32_t plain =
        along_rows ? start + r % 64 * 2 + r / 64 * leading + c % 8 * 128 + c / 8 * stride
                   : start + r % 8 * 128 + r / 8 * stride + c * 2;
    return plain ^ (plain >> 7 & 7) << 4;
  }

  template <class T>
  float at(int row, int k) const {
    const auto* const shared = static_cast<const char*>(emulator::dynamic_shared_memory());
    return float(*reinterpret_cast<const T*>(shared + address(row, k)));
  }
};

/// This thread's part of left · right.
template <class T, int count>
std::array<float, count> fragment_of(const SharedOperand& left, const SharedOperand& right) {
  std::array<float, count> sums{};
  const int thread = static_cast<int>(threadIdx.x) % 128, lane = thread % 32;
  const int row = thread / 32 * 16 + lane / 4;
  for (int k = 0; k < 16; ++k) {
    const float upper = left.at<T>(row, k), lower = left.at<T>(row + 8, k);
    for (size_t i = 0; i < count; i += 4) {
      for (size_t e = 0; e < 2; ++e) {
        const float factor = right.at<T>(static_cast<int>(2 * i + e) + lane % 4 * 2, k);
        sums[i + e] += upper * factor;
        sums[i + e + 2] += lower * factor;
      }
    }
  }
  return sums;
}

/// The hardware reads the operands at some moment between here and the wait, so they have to be
/// there now and still be there then.
template <bool left_along_rows, bool right_along_rows, int count, class T>
void warpgroup_multiply_add(float (&d)[count], uint64_t left, uint64_t right, T /*type*/) {
  const SharedOperand a(left, left_along_rows), b(right, right_along_rows);
  const std::array<float, count> now = fragment_of<T, count>(a, b);
  float* const sums = d;
  emulator::background([=] {
    const std::array<float, count> then = fragment_of<T, count>(a, b);
    if (std::memcmp(&now, &then, sizeof now) != 0) {
      throw emulator::KernelError("wgmma: an operand was overwritten before the wait");
    }
    for (size_t i = 0; i < count; ++i) sums[i] += then[i];
  });
}

}  // namespace burin::cuda
