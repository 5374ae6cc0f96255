#pragma once

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/output.h"
#include "burin/kernels/cuda/support/ptx_warpgroup.h"
#include "burin/kernels/cuda/support/tensor_tile.h"
#include "burin/kernels/cuda/support/warpgroup_block.h"

namespace burin::cuda {

/// How wgmma finds a tile, or its part behind the first `row` rows, a multiple of 64. PTX ISA 8,
/// "Matrix Descriptor Format": in units of 16 bytes the address, the distance of panels, that of
/// eights of lines; and the mode of swizzle.
template <class Lines, class T>
__device__ uint64_t describe(const T* tile, int row) {
  const uint32_t address = shared_address(tile + row * tile_depth);
  constexpr uint64_t leading = Lines::along_rows ? sizeof(T) * panel / 16 : 1;
  constexpr uint64_t stride = 1024 / 16;
  constexpr uint64_t swizzle_128_bytes = 1;
  return (address & 0x3ffff) / 16 | leading << 16 | stride << 32 | swizzle_128_bytes << 62;
}

/// One warpgroup's part of the sums.
template <class Block>
struct WarpgroupSums {
  float at[Block::left][Block::columns / 2] = {};

  /// Begins to add the product of two tiles.
  template <class T, class LeftLines, class RightLines>
  __device__ void add(const T* left, const T* right, int warpgroup) {
    constexpr int steps = tile_depth / 16;
    const uint64_t b = describe<RightLines>(right, 0);
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
      const uint64_t a = describe<LeftLines>(left, warpgroup * Block::warpgroup_rows + 64 * i);
#pragma unroll
      for (int k = 0; k < steps; ++k) {
        warpgroup_multiply_add<LeftLines::along_rows, RightLines::along_rows>(
            at[i], a + k * (LeftLines::bytes_to_next_16 / 16),
            b + k * (RightLines::bytes_to_next_16 / 16), T());
      }
    }
  }

  __device__ void settle_all() {
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
#pragma unroll
      for (float& sum : at[i]) settle(sum);
    }
  }

  /// Puts a warp's 16 rows of the i-th 64 into its part of shared memory.
  __device__ void store(float* rows, int i, int lane) const {
    float* const to = rows + lane / 4 * Block::pitch + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < Block::columns / 8; ++j) {
      const float* const sums = at[i] + 4 * j;
      *reinterpret_cast<float2*>(to + 8 * j) = make_float2(sums[0], sums[1]);
      *reinterpret_cast<float2*>(to + 8 * j + 8 * Block::pitch) = make_float2(sums[2], sums[3]);
    }
  }
};

/// Of one row, each of a quad's four lanes has two neighbours of each of four eights; then all of
/// one: word q of lane t and word t of lane q change places.
__device__ inline void transpose_quad(uint32_t (&words)[4], int lane) {
#pragma unroll
  for (int bit = 1; bit <= 2; bit *= 2) {
    const bool upper = (lane & bit) != 0;
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      if ((q & bit) != 0) continue;
      uint32_t& first = words[q];
      uint32_t& second = words[q | bit];
      const uint32_t other = __shfl_xor_sync(~0u, upper ? first : second, bit);
      if (upper) {
        first = other;
      } else {
        second = other;
      }
    }
  }
}

/// Stores a warp's 16 rows of the i-th 64, from row `first` of the result, straight from the
/// registers, in 16-bit elements: for results that are nothing but the rounded sums.
template <class Block, class Product>
__device__ void store_rounded(const Product& product, const float (&sums)[Block::columns / 2],
                              int first, int n0, int lane) {
  using T = typename Product::Element;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int m = first + lane / 4 + 8 * half;
    const bool valid = m < product.M;
    const int64_t row = valid ? product.row(m) : 0;
#pragma unroll
    for (int j = 0; j < Block::columns / 8; j += 4) {
      Eight<T> eight;
#pragma unroll
      for (int q = 0; q < 4; ++q) {
        const float* const pair = sums + 4 * (j + q) + 2 * half;
        eight.words[q] = word_of<T>(pair[0], pair[1]);
      }
      transpose_quad(eight.words, lane);
      const int n = n0 + 8 * (j + lane % 4);
      if (valid && n < product.N) product.output().store(row + n, eight);
    }
  }
}

/// The same for sums that stay f32.
template <class Block, class Product>
__device__ void store_sums(const Product& product, const float (&sums)[Block::columns / 2],
                           int first, int n0, int lane) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int m = first + lane / 4 + 8 * half;
    if (m >= product.M) continue;
    const int64_t row = product.row(m);
#pragma unroll
    for (int j = 0; j < Block::columns / 8; ++j) {
      const int n = n0 + 8 * j + lane % 4 * 2;
      const float* const pair = sums + 4 * j + 2 * half;
      if (n < product.N) product.store_pair(row, n, make_float2(pair[0], pair[1]));
    }
  }
}

/// Eight neighbouring sums. Every other four lanes read their second half first: so eight lanes in
/// a row meet all banks.
__device__ inline void load_eight(float (&to)[8], const float* from, int lane) {
  const int swap = lane / 4 % 2;
  const float4 first = *reinterpret_cast<const float4*>(from + 4 * swap);
  const float4 second = *reinterpret_cast<const float4*>(from + 4 - 4 * swap);
  const float4 low = swap == 0 ? first : second, high = swap == 0 ? second : first;
  to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
  to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

/// Stores a warp's 16 rows of the i-th 64 by way of its part of shared memory, for results to which
/// more belongs: eight sums at a time.
template <class Block, class Product>
__device__ void store_by_eights(const Product& product, const WarpgroupSums<Block>& sums, int i,
                                float* rows, int first, int n0, int lane) {
  constexpr int chunks = Block::columns / 8;
  sums.store(rows, i, lane);
  const int64_t row_of_lane = product.row(first + lane % 16);  // found once for all its chunks
  __syncwarp();
#pragma unroll 1
  for (int chunk = lane; chunk < 16 * chunks; chunk += 32) {
    const int m = first + chunk / chunks, n = n0 + chunk % chunks * 8;
    const int64_t row = __shfl_sync(~0u, row_of_lane, chunk / chunks);
    float eight[8];
    load_eight(eight, rows + chunk / chunks * Block::pitch + chunk % chunks * 8, lane);
    if (m < product.M && n < product.N) product.store(row, n, eight, product.N - n);
  }
  __syncwarp();
}

/// Whether a result leaves from the registers alone: then shared memory is free for the tiles of
/// the next block while one is stored.
template <class Product>
__host__ __device__ bool stores_from_registers(const Product& product) {
  if constexpr (Product::stores_sums) {
    return true;
  } else {
    return product.output().is_rounded() && product.N % 8 == 0;
  }
}

/// Stores the sums of the block whose first row and column are m0 and n0.
template <class Block, class Product>
__device__ void store_block(const Product& product, const WarpgroupSums<Block>& sums, int m0,
                            int n0, int warp) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first = m0 + warp / 4 * Block::warpgroup_rows + warp % 4 * 16;
  if constexpr (Product::stores_sums) {
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
      store_sums<Block>(product, sums.at[i], first + 64 * i, n0, lane);
    }
  } else if (stores_from_registers(product)) {
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
      store_rounded<Block>(product, sums.at[i], first + 64 * i, n0, lane);
    }
  } else {
    copy_async_wait<0>();
    __syncthreads();  // the tiles are where the sums go
    float* const rows = dynamic_shared<float>() + warp * Block::warp_sums;
#pragma unroll
    for (int i = 0; i < Block::left; ++i) {
      store_by_eights(product, sums, i, rows, first + 64 * i, n0, lane);
    }
  }
}

/// The blocks of a result, those of the same rows one behind the other: what runs at the same time
/// reads the same rows of the left operand.
template <class Block>
struct BlocksOfResult {
  int across, count;

  __host__ __device__ BlocksOfResult(int64_t M, int64_t N)
      : across(static_cast<int>((N + Block::columns - 1) / Block::columns)),
        count(static_cast<int>((M + Block::rows - 1) / Block::rows) * across) {}
  __device__ int m0(int block) const { return block / across * Block::rows; }
  __device__ int n0(int block) const { return block % across * Block::columns; }
};

/// Loads the tiles of one block of the result.
template <class Product, class Block>
struct TileLoader {
  using T = typename Product::Element;
  using Left = decltype(Product::left);
  using Right = decltype(Product::right);
  typename Left::template Cursor<Block::rows> left;
  typename Right::template Cursor<Block::columns> right;
  int tiles = 0;  // loaded

  __device__ TileLoader(const Product& product, int m0, int n0)
      : left(product.left, m0, product.k_begin, product.k_end),
        right(product.right, n0, product.k_begin, product.k_end) {}
  __device__ void load(const Product& product, T* stage) {
    left.load(product.left, stage);
    right.load(product.right, stage + Block::rows * tile_depth);
    ++tiles;
  }
};

/// gemm_tensor_cores.h with the matrix instructions of a warpgroup (wgmma), which read both
/// operands from shared memory and work in the background. Products as there, and
///   static constexpr bool stores_sums             the sums are all there is: no store(), but
///   void store_pair(int64_t row, int n, float2)   two neighbours along n
///   const Output& output()                        of the others: what store() stores to
///
/// A block of threads makes one block of the result, or, in a smaller grid, block after block, a
/// grid apart: then the tiles of the next are on their way while the sums of one are stored, which
/// must not need their memory (stores_from_registers()).
template <class Product, class Block>
__global__ void __launch_bounds__(tile_threads, Block::per_multiprocessor)
    gemm_warpgroup(Product products) {
  using T = typename Product::Element;
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  Product product = products;
  product.select(static_cast<int>(blockIdx.z));
  const BlocksOfResult<Block> blocks(product.M, product.N);
  const int first = static_cast<int>(blockIdx.x), step = static_cast<int>(gridDim.x);
  if (first >= blocks.count) return;  // a whole block leaves together
  T* const stage0 = dynamic_shared<T>();
  // The same in all lanes; the shuffle says so to the compiler.
  const int warp = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / 32, 0);
  const int tiles = (product.k_end - product.k_begin + tile_depth - 1) / tile_depth;

  TileLoader<Product, Block> loader(product, blocks.m0(first), blocks.n0(first));
  int loading = tiles > 0 ? first : blocks.count;  // the loader's block
  const auto load = [&](int stage) {
    if (loading < blocks.count) {
      loader.load(product, stage0 + stage * Block::stage_elements);
      if (loader.tiles == tiles) {
        loading += step;
        if (loading < blocks.count) {
          Product again = products;  // so that what only a loader's begin needs is not kept
          again.select(static_cast<int>(blockIdx.z));
          loader = TileLoader<Product, Block>(again, blocks.m0(loading), blocks.n0(loading));
        }
      }
    }
    copy_async_commit();  // also where nothing is left to load, so that the groups can be counted
  };

#pragma unroll 1
  for (int stage = 0; stage < Block::ahead; ++stage) load(stage);
  int stage = 0, stage_to_load = Block::ahead;
  for (int block = first; block < blocks.count; block += step) {
    WarpgroupSums<Block> sums;
    sums.settle_all();
    for (int tile = 0; tile < tiles; ++tile) {
      copy_async_wait<Block::ahead - 1>();
      if (Block::in_flight == 0) warpgroup_wait<0>();
      fence_shared_for_products();
      __syncthreads();  // everybody's part of the tile is here, and nobody reads the one that is
                        // replaced next
      const T* const left = stage0 + stage * Block::stage_elements;
      warpgroup_begin();
      sums.template add<T, typename decltype(Product::left)::Lines,
                        typename decltype(Product::right)::Lines>(
          left, left + Block::rows * tile_depth, warp / 4);
      warpgroup_commit();
      load(stage_to_load);
      stage = Block::stage_after(stage);
      stage_to_load = Block::stage_after(stage_to_load);
      if (Block::in_flight > 0) warpgroup_wait<Block::in_flight>();
    }
    warpgroup_wait<0>();
    sums.settle_all();
    store_block(product, sums, blocks.m0(block), blocks.n0(block), warp);
  }
}

/// Launches it for `count` products of at most M×N, on average K long.
template <class Product>
void launch_warpgroup(const Product& product, int64_t M, int64_t N, int64_t K, int64_t count,
                      Stream& stream) {
  const WarpgroupWork work{
      M, N, K, count, stores_from_registers(product), multiprocessors_of(stream.device())};
  with_warpgroup_block(work, [&](auto block, int64_t /*cost*/) {
    using Block = decltype(block);
    const dim3 grid(static_cast<unsigned>(Block::grid(work)), 1, static_cast<unsigned>(count));
    launch_overlapped(gemm_warpgroup<Product, Block>,
                      {grid, tile_threads, Block::shared_bytes, stream}, product);
  });
}

}  // namespace burin::cuda
