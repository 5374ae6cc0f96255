#pragma once

#include <cstdint>

#include "burin/kernels/base/view.h"

namespace burin::cuda {

/// Neighbouring elements that travel in one load or store of 16 bytes.
template <class T>
struct alignas(16) Packet {
  static constexpr int size = 16 / static_cast<int>(sizeof(T));
  T at[size];
};

/// Whether the memory begins where a Packet may.
template <class V>
bool is_aligned(const V& view) {
  return reinterpret_cast<uintptr_t>(view.data) % 16 == 0;
}

}  // namespace burin::cuda
