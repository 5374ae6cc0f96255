#pragma once

#include <algorithm>

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/tensor_tile.h"

namespace burin::cuda {

// How gemm_warpgroup.h cuts a result into blocks, and which shape of blocks takes the least time.

inline int multiprocessors_of(Device device) {
  int count = 0;
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device.index);
  return count;
}

/// `count` products of at most M×N, on average K long, for a GPU of so many multiprocessors.
struct WarpgroupWork {
  int64_t M, N, K, count;
  bool stores_from_registers;  // see gemm_warpgroup.h
  int multiprocessors;

  int64_t tiles() const { return (K + tile_depth - 1) / tile_depth; }
  /// Whether a block of threads makes one block of the result after the other. That pays where the
  /// sum is short: beginning and ending are most of a block's time, and overlap. Elsewhere the GPU
  /// hands out blocks as others end, which keeps multiprocessors busier than equal shares.
  bool is_persistent() const { return stores_from_registers && tiles() <= 2; }
};

/// Shape of the work of one block: rows × columns sums, two warpgroups one above the other. Of the
/// `stages` tiles of each operand in shared memory, some are on their way, one is multiplied, and,
/// where the block has a multiprocessor to itself, so is the one before. The last two say what a
/// block costs, see cost().
template <int rows_, int columns_, int stages_, int per_multiprocessor_, int overhead_ns,
          int tile_ns>
struct WarpgroupBlock {
  static constexpr int rows = rows_, columns = columns_, stages = stages_;
  static constexpr int per_multiprocessor = per_multiprocessor_;
  static constexpr int warpgroup_rows = rows / 2;
  static constexpr int left = warpgroup_rows / 64;  // products of 64 rows, a warpgroup
  static constexpr int in_flight = stages > 3 ? 1 : 0;
  static constexpr int ahead = stages - 1 - in_flight;  // tiles on their way
  static constexpr int stage_elements = (rows + columns) * tile_depth;
  static constexpr int pitch = columns + 8;  // of the sums in shared memory, f32
  static constexpr int warp_sums = 16 * pitch;
  static constexpr size_t pipeline_bytes = size_t{2} * stages * stage_elements;
  static constexpr size_t sums_bytes = size_t{4} * tile_threads / 32 * warp_sums;
  static constexpr size_t shared_bytes = pipeline_bytes > sums_bytes ? pipeline_bytes : sums_bytes;

  __device__ static int stage_after(int stage) { return stage + 1 < stages ? stage + 1 : 0; }

  /// Blocks of one product, and of threads for them.
  static int64_t blocks(const WarpgroupWork& work) {
    return (work.M + rows - 1) / rows * ((work.N + columns - 1) / columns);
  }
  static int64_t grid(const WarpgroupWork& work) {
    const int64_t together = int64_t{work.multiprocessors} * per_multiprocessor;
    return work.is_persistent() ? std::min(blocks(work), together) : blocks(work);
  }

  /// Time in ns. Of a multiprocessor's time a block takes a fixed part, to begin and to end, and as
  /// much again for each tile along k.
  static int64_t cost(const WarpgroupWork& work) {
    const int64_t width = grid(work), turns = (blocks(work) + width - 1) / width;
    const int64_t most = (width * work.count + work.multiprocessors - 1) / work.multiprocessors;
    const int64_t each = turns * most;  // blocks of the multiprocessor that has most
    const int64_t together = each * (overhead_ns + work.tiles() * tile_ns);
    const bool alone = each == 1 && per_multiprocessor > 1;  // with no other to fill its pauses
    return alone ? together * 3 / 2 : together;
  }
};

// Costs fitted to the forward pass of ResNet-18's layers at batch 256 on an H200, bf16, each in
// every shape: 1 to 72 tiles along k.
using WideBlock = WarpgroupBlock<128, 256, 4, 1, 10600, 680>;
using TallBlock = WarpgroupBlock<256, 64, 4, 1, 8200, 560>;
using SquareBlock = WarpgroupBlock<128, 128, 3, 2, 4000, 420>;
using NarrowBlock = WarpgroupBlock<128, 64, 3, 3, 2400, 320>;

/// Calls f(Block(), cost) with the shape that takes the least time.
template <class F>
auto with_warpgroup_block(const WarpgroupWork& work, const F& f) {
  const int64_t wide = WideBlock::cost(work), tall = TallBlock::cost(work);
  const int64_t square = SquareBlock::cost(work), narrow = NarrowBlock::cost(work);
  const int64_t least = std::min({wide, tall, square, narrow});
  if (narrow == least) return f(NarrowBlock(), least);
  if (square == least) return f(SquareBlock(), least);
  if (tall == least) return f(TallBlock(), least);
  return f(WideBlock(), least);
}

}  // namespace burin::cuda
