#pragma once

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/output.h"
#include "burin/kernels/cuda/support/tensor_tile.h"

namespace burin::cuda {

/// Shape of the work of one block: rows × columns sums, 8 warps, so many tiles of each operand in
/// flight.
template <int rows_, int columns_, int stages_>
struct TensorBlock {
  static constexpr int rows = rows_;
  static constexpr int columns = columns_;
  static constexpr int stages = stages_;
  static constexpr int warps_m = columns == 128 ? 2 : 4;
  static constexpr int warps_n = 8 / warps_m;
  static constexpr int warp_rows = rows / warps_m;
  static constexpr int warp_columns = columns / warps_n;
  static constexpr int left = warp_rows / 16;  // 16×16 parts of a warp's left operand
  static constexpr int right = warp_columns / 16;
  static constexpr int stage_elements = (rows + columns) * tile_depth;
  static constexpr int pitch = columns + 4;  // of the sums in shared memory, f32
  static constexpr size_t pipeline_bytes = size_t{2} * stages * stage_elements;
  static constexpr size_t sums_bytes = size_t{4} * rows * pitch;
  static constexpr size_t shared_bytes = pipeline_bytes > sums_bytes ? pipeline_bytes : sums_bytes;
};
using WideTensorBlock = TensorBlock<128, 128, 3>;
using NarrowTensorBlock = TensorBlock<128, 64, 3>;

/// One warp's part of the sums.
template <class Block>
struct WarpSums {
  float at[Block::left][2 * Block::right][4] = {};

  /// Adds the product of two tiles.
  template <class T, class LeftLines, class RightLines>
  __device__ void add(const T* left, const T* right, int warp, int lane) {
    const int row = warp % Block::warps_m * Block::warp_rows;
    const int column = warp / Block::warps_m * Block::warp_columns;
#pragma unroll
    for (int k = 0; k < tile_depth; k += 16) {
      uint32_t a[Block::left][4], b[Block::right][4];
#pragma unroll
      for (int i = 0; i < Block::left; ++i) {
        LeftLines::template load_left<Block::rows>(a[i], left, row + 16 * i, k, lane);
      }
#pragma unroll
      for (int j = 0; j < Block::right; ++j) {
        RightLines::template load_right<Block::columns>(b[j], right, column + 16 * j, k, lane);
      }
#pragma unroll
      for (int i = 0; i < Block::left; ++i) {
#pragma unroll
        for (int j = 0; j < Block::right; ++j) {
          multiply_add(at[i][2 * j], a[i], b[j][0], b[j][1], T());
          multiply_add(at[i][2 * j + 1], a[i], b[j][2], b[j][3], T());
        }
      }
    }
  }

  /// Puts them into the block's tile of sums.
  __device__ void store(float* tile, int warp, int lane) const {
    const int row = warp % Block::warps_m * Block::warp_rows + lane / 4;
    const int column = warp / Block::warps_m * Block::warp_columns + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
#pragma unroll
      for (int j = 0; j < 2 * Block::right; ++j) {
        float* const to = tile + (row + 16 * i) * Block::pitch + column + 8 * j;
        *reinterpret_cast<float2*>(to) = make_float2(at[i][j][0], at[i][j][1]);
        *reinterpret_cast<float2*>(to + 8 * Block::pitch) = make_float2(at[i][j][2], at[i][j][3]);
      }
    }
  }
};

/// Adds up the tiles of a product from k_begin to k_end on tensor cores and leaves the sums in the
/// block's shared memory, at `pitch` from row to row. Tiles travel there in the background
/// (cp.async); ldmatrix and mma work on the one that has arrived.
template <class Block, class Product>
__device__ float* multiply_tiles(const Product& product, int m0, int n0) {
  using T = typename Product::Element;
  using Left = decltype(Product::left);
  using Right = decltype(Product::right);
  unsigned char* const shared = dynamic_shared<unsigned char>();
  T* const stage0 = reinterpret_cast<T*>(shared);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int tiles = (product.k_end - product.k_begin + tile_depth - 1) / tile_depth;

  typename Left::template Cursor<Block::rows> left(product.left, m0, product.k_begin,
                                                   product.k_end);
  typename Right::template Cursor<Block::columns> right(product.right, n0, product.k_begin,
                                                        product.k_end);
  const auto load = [&](int tile) {
    if (tile < tiles) {
      T* const stage = stage0 + tile % Block::stages * Block::stage_elements;
      left.load(product.left, stage);
      right.load(product.right, stage + Block::rows * tile_depth);
    }
    copy_async_commit();  // also where nothing is left to load, so that the groups can be counted
  };

  WarpSums<Block> sums;
  for (int tile = 0; tile < Block::stages - 1; ++tile) load(tile);
  for (int tile = 0; tile < tiles; ++tile) {
    copy_async_wait<Block::stages - 2>();
    __syncthreads();  // everybody's part of the tile is here, and nobody reads the one replaced
                      // next
    load(tile + Block::stages - 1);
    const T* const stage = stage0 + tile % Block::stages * Block::stage_elements;
    sums.template add<T, typename Left::Lines, typename Right::Lines>(
        stage, stage + Block::rows * tile_depth, warp, lane);
  }

  copy_async_wait<0>();
  __syncthreads();
  float* const tile_of_sums = reinterpret_cast<float*>(shared);
  sums.store(tile_of_sums, warp, lane);
  return tile_of_sums;
}

/// The product of two operands of 16-bit elements on tensor cores, sums in f32, which leave through
/// shared memory in rows of 16 bytes.
///
/// A Product says what is multiplied:
///   using Element; Left left; Right right      operands with a Cursor, see tensor_tile.h
///   void select(int z)                         which of the products that share the launch
///   int M, N, k_begin, k_end                   after select()
///   int64_t row(int m)                         where row m of the result begins
///   void store(int64_t row, int n, const float* sums, int count)   at most eight neighbours
///                                                                  along n
template <class Product, class Block>
__global__ void __launch_bounds__(tile_threads, 2) gemm_tensor_cores(Product product) {
  product.select(static_cast<int>(blockIdx.z));
  const int m0 = static_cast<int>(blockIdx.x) * Block::rows;
  const int n0 = static_cast<int>(blockIdx.y) * Block::columns;
  if (m0 >= product.M) return;  // a whole block leaves together
  const float* const sums = multiply_tiles<Block>(product, m0, n0);
  __syncthreads();
  constexpr int chunks = Block::columns / 8;
  for (int i = static_cast<int>(threadIdx.x); i < Block::rows * chunks; i += tile_threads) {
    const int m = m0 + i / chunks, n = n0 + i % chunks * 8;
    if (m >= product.M || n >= product.N) continue;
    product.store(product.row(m), n, sums + i / chunks * Block::pitch + i % chunks * 8,
                  product.N - n);
  }
}

/// Launches it for `count` products of at most M×N.
template <class Product>
void launch_tensor_cores(const Product& product, int64_t M, int64_t N, int64_t count,
                         Stream& stream) {
  const auto with = [&](auto block) {
    using Block = decltype(block);
    const dim3 grid(blocks_for(M, Block::rows).x, blocks_for(N, Block::columns).x,
                    static_cast<unsigned>(count));
    launch(gemm_tensor_cores<Product, Block>, {grid, tile_threads, Block::shared_bytes, stream},
           product);
  };
  if (N > 64) {
    with(WideTensorBlock());
  } else {
    with(NarrowTensorBlock());
  }
}

}  // namespace burin::cuda
