#pragma once

#include <cooperative_groups.h>

#include <algorithm>

#include "burin/kernels/cuda/support/gemm_tensor_cores.h"

namespace burin::cuda {

// gemm_tensor_cores.h for products too small to give every multiprocessor a block: an image or two.
// There the sum along k is divided among the blocks of a cluster, which add up their parts through
// each other's shared memory: no second launch, no atomics, always in one order.

/// How the sum along k is divided: parts of so many tiles each, the last may be shorter.
struct ClusterSplit {
  int parts, tiles;

  /// For so many blocks of the result: as many parts as a large GPU has room for at once, two
  /// blocks a multiprocessor. The multiprocessors of a cluster share a part of the GPU, and of
  /// those some are left over: of 132 about 12.
  static ClusterSplit of(int64_t blocks, int64_t K) {
    constexpr int64_t together = 2 * 120, most = 8;
    const int64_t all = std::max<int64_t>(1, (K + tile_depth - 1) / tile_depth);
    const int64_t wanted = std::clamp<int64_t>(together / std::max<int64_t>(1, blocks), 1, most);
    const int64_t tiles = (all + wanted - 1) / wanted;
    return {static_cast<int>((all + tiles - 1) / tiles), static_cast<int>(tiles)};
  }
};

/// `count` products of M×N, K long.
struct ProductExtents {
  int64_t M, N, K, count;
};

/// Each block of a cluster makes a part of the sums of one block of the result. Then it stores some
/// of the rows, adding up all parts.
template <class Product, class Block>
__global__ void __launch_bounds__(tile_threads, 2) gemm_cluster(Product product, int tiles) {
  const auto cluster = cooperative_groups::this_cluster();
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  const int down = (product.M + Block::rows - 1) / Block::rows;
  const int across = (product.N + Block::columns - 1) / Block::columns;
  const int column = static_cast<int>(blockIdx.x) / down;  // of all products
  product.select(column / across);
  const int m0 = (static_cast<int>(blockIdx.x) - column * down) * Block::rows;
  const int n0 = column % across * Block::columns;
  const int rank = static_cast<int>(cluster.block_rank());
  const int parts = static_cast<int>(cluster.num_blocks());
  product.k_begin = rank * tiles * tile_depth;
  product.k_end = min(product.k_end, product.k_begin + tiles * tile_depth);
  float* const sums = multiply_tiles<Block>(product, m0, n0);
  cluster.sync();

  constexpr int chunks = Block::columns / 8, all = Block::rows * chunks;
  const int share = (all + parts - 1) / parts, end = min(all, (rank + 1) * share);
  for (int i = rank * share + static_cast<int>(threadIdx.x); i < end; i += tile_threads) {
    const int m = m0 + i / chunks, n = n0 + i % chunks * 8;
    if (m >= product.M || n >= product.N) continue;
    float* const mine = sums + i / chunks * Block::pitch + i % chunks * 8;
    float total[8] = {};
    for (int part = 0; part < parts; ++part) {
      const auto added = Eight<float>::at(cluster.map_shared_rank(mine, part));
#pragma unroll
      for (int k = 0; k < 8; ++k) total[k] += added[k];
    }
    product.store(product.row(m), n, total, product.N - n);
  }
  cluster.sync();  // a block's sums have to stay while others read them
}

/// Launches it, in as many parts as find room.
template <class Product>
void launch_cluster(const Product& product, const ProductExtents& extents, Stream& stream) {
  const auto with = [&](auto block) {
    using Block = decltype(block);
    const int64_t down = (extents.M + Block::rows - 1) / Block::rows;
    const int64_t across = (extents.N + Block::columns - 1) / Block::columns;
    const dim3 blocks = blocks_for(down * across * extents.count, 1);
    const ClusterSplit split = ClusterSplit::of(blocks.x, extents.K);
    const auto parts = static_cast<unsigned>(split.parts);
    launch_clusters(gemm_cluster<Product, Block>,
                    {{blocks.x, 1, parts}, tile_threads, Block::shared_bytes, stream},
                    {1, 1, parts}, product, split.tiles);
  };
  constexpr int stages = 6;  // two launches of 96 KiB find room in a multiprocessor
  // Narrow panels of a right operand whose lines run along k, where clusters would still be few.
  if constexpr (!decltype(Product::right)::Lines::along_rows) {
    constexpr int64_t enough = 15;  // clusters of eight at once
    const int64_t blocks = (extents.M + 63) / 64 * ((extents.N + 63) / 64) * extents.count;
    if (blocks < enough) return with(TensorBlock<64, 32, stages>());
  }
  with(TensorBlock<64, 64, stages>());
}

}  // namespace burin::cuda
