#pragma once

#include <cstdint>
#include <span>

#include "burin/kernels/adam.h"
#include "burin/kernels/cuda/support/launch.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {

/// What optimisers share: many parameters in one launch. The table travels as the kernel's
/// argument, so a captured step holds a copy of it and nothing has to be uploaded.

inline constexpr int64_t chunk_elements = 4096;  // a block's share of one parameter
inline constexpr int chunk_threads = 256;

/// The 16-bit copy of a parameter, or none.
struct Copy16 {
  __nv_bfloat16* bf16 = nullptr;
  __half* f16 = nullptr;

  static Copy16 of(const View& view) {
    Copy16 copy;
    if (view && view.dtype == DType::bf16) copy.bf16 = view.as<__nv_bfloat16>();
    if (view && view.dtype == DType::f16) copy.f16 = view.as<__half>();
    return copy;
  }
  __device__ void write(int64_t i, float value) const {
    if (bf16 != nullptr) bf16[i] = __nv_bfloat16(value);
    if (f16 != nullptr) f16[i] = __half(value);
  }
  __device__ void write(int64_t i, const Packet<float>& values) const {
    const float(&v)[4] = values.at;
    if (bf16 != nullptr) {
      *reinterpret_cast<uint2*>(bf16 + i) =
          make_uint2(word_of<__nv_bfloat16>(v[0], v[1]), word_of<__nv_bfloat16>(v[2], v[3]));
    }
    if (f16 != nullptr) {
      *reinterpret_cast<uint2*>(f16 + i) =
          make_uint2(word_of<__half>(v[0], v[1]), word_of<__half>(v[2], v[3]));
    }
  }
};

template <class Parameter>
struct ParameterTable {
  static constexpr int most = 256;  // 17 KiB of Adam's; a kernel takes 32,764 bytes from sm_70 on
  int count = 0;
  int first_block[most + 1] = {};
  Parameter slots[most] = {};

  /// The parameter that a block works on.
  __device__ int slot_of(unsigned block) const {
    int low = 0, high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (static_cast<unsigned>(first_block[middle]) <= block) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

/// The block's share of its parameter: calls four(parameter, i) for each whole packet of elements
/// from i on, one(parameter, i) for what is left. A Parameter has a `count`, and `packets` says
/// whether all that belongs to it begins at 16 bytes.
template <class Parameter, class One, class Four>
__device__ void step_chunk(const ParameterTable<Parameter>& table, const One& one,
                           const Four& four) {
  constexpr int n = Packet<float>::size;
  const int slot = table.slot_of(blockIdx.x);
  const Parameter& parameter = table.slots[slot];
  const int64_t begin = int64_t(blockIdx.x - table.first_block[slot]) * chunk_elements;
  const int64_t left = parameter.count - begin;
  const int count = static_cast<int>(left < chunk_elements ? left : chunk_elements);
  const int in_packets = parameter.packets ? count / n * n : 0;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int i = thread * n; i < in_packets; i += threads * n) four(parameter, begin + i);
  for (int i = in_packets + thread; i < count; i += threads) one(parameter, begin + i);
}

/// Calls queue(table, blocks) with tables that hold all `slots`, made by parameter_of(slot). Empty
/// parameters are left out.
template <class Parameter, class Slot, class Make, class Queue>
void for_each_table(std::span<const Slot> slots, const Make& parameter_of, const Queue& queue) {
  ParameterTable<Parameter> table;
  int blocks = 0;
  for (const Slot& slot : slots) {
    const int64_t elements = slot.parameter.numel();
    if (elements == 0) continue;
    if (table.count == ParameterTable<Parameter>::most) {
      queue(table, blocks);
      table.count = 0;
      blocks = 0;
    }
    table.first_block[table.count] = blocks;
    table.slots[table.count++] = parameter_of(slot);
    blocks += static_cast<int>((elements + chunk_elements - 1) / chunk_elements);
    table.first_block[table.count] = blocks;
  }
  if (table.count > 0) queue(table, blocks);
}

/// A launch of its own: every block of the step before reads the count.
__global__ inline void count_step(float* scalars) {
  if (scalars[scalar_found_inf] == 0) scalars[scalar_step] += 1;
}

}  // namespace burin::cuda
