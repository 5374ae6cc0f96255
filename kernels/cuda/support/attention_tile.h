#pragma once

#include <numeric>

#include "burin/kernels/cuda/support/attention.h"
#include "burin/kernels/cuda/support/packet.h"
#include "burin/kernels/cuda/support/ptx.h"

namespace burin::cuda {

// What the kernels of attention on tensor cores share: a block's warps own 16 rows of one head each
// and walk together over the rows of the other side, 64 at a time.

inline constexpr int attention_warp_rows = 16;
inline constexpr int attention_tile_rows = 64;
/// Warps of a block, at most, so that two blocks fit a multiprocessor's registers.
template <int D>
inline constexpr int attention_most_warps = D <= 64 ? 8 : 6;
inline constexpr float log2_e = 1.44269504f;
inline constexpr float log_2 = 0.693147181f;

/// Warps of each block, `most` or fewer, so that the blocks of a head share its rows evenly: of 197
/// rows 7 and 6 warps in place of 8 and 5.
inline int attention_warps(int64_t rows, int most) {
  const int64_t warps = (rows + attention_warp_rows - 1) / attention_warp_rows;
  const int64_t blocks = (warps + most - 1) / most;
  return static_cast<int>((warps + blocks - 1) / blocks);
}

/// Which rows a warp owns: `first` and the 15 behind it, of head h of image n.
struct AttentionWarp {
  int lane = static_cast<int>(threadIdx.x) % 32;
  int warp = static_cast<int>(threadIdx.x) / 32;
  int warps = static_cast<int>(blockDim.x) / 32;
  int first;
  int head;  // n · H + h
  int n, h;

  __device__ AttentionWarp(int64_t rows, int64_t H) {
    const int per_block = warps * attention_warp_rows;
    const int blocks = (static_cast<int>(rows) + per_block - 1) / per_block;
    const int block = static_cast<int>(blockIdx.x);
    first = block % blocks * per_block + warp * attention_warp_rows;
    head = block / blocks;
    n = head / static_cast<int>(H);
    h = head % static_cast<int>(H);
  }
};

/// Rows of one head in memory. T is const for what is read.
template <class T>
struct HeadRows {
  T* data;
  int64_t stride;
  int count, D;

  __device__ HeadRows(const AttentionRows<T>& rows, const AttentionWarp& at, int64_t row_count,
                      int elements)
      : data(rows.row(at.n, at.h, 0)),
        stride(rows.stride_row),
        count(static_cast<int>(row_count)),
        D(elements) {}
};

/// Rows of D elements in shared memory, chunks of eight (16 bytes) permuted within each row so that
/// the eight lanes that read the same chunk of eight rows meet different banks: rows that begin at
/// the same bank are 8 / gcd(chunks, 8) apart.
template <int D>
struct HeadTile {
  static constexpr int chunks = D / 8;
  static constexpr int permuted = std::gcd(chunks, 8);

  __device__ static int permutation(int row) { return row / (8 / permuted) & (permuted - 1); }
  __device__ static int at(int row, int chunk) { return row * D + (chunk ^ permutation(row)) * 8; }

  /// Where a lane begins to read the part at (0, 0) of a tile that begins at `tile`: row lane % 16,
  /// chunk lane / 16.
  __device__ static int lane_begin(int tile, int lane) { return tile + at(lane % 16, lane / 16); }
  /// The same of the part at (row, d), multiples of 16. What the compiler knows stands apart: it
  /// needs few registers for all the parts.
  __device__ static int of_part(int begin, int row, int d) {
    const int group = d / 8 / permuted * permuted, within = d / 8 % permuted;
    return (begin ^ within * 8) + row * D + group * 8;
  }

  /// Begins to copy `rows` rows from `first`; zeros stand behind the last one and behind its
  /// elements. Shared by `threads` threads, of which this is `thread`.
  template <int rows, class T>
  __device__ static void copy(T* tile, const HeadRows<const T>& from, int first, int thread,
                              int threads) {
#pragma unroll 1  // few turns; the registers are for sums
    for (int i = thread; i < rows * chunks; i += threads) {
      const int row = i / chunks, chunk = i % chunks;
      const bool valid = first + row < from.count && chunk * 8 < from.D;
      copy_async_16(tile + at(row, chunk), from.data + (first + row) * from.stride + chunk * 8,
                    valid);
    }
  }

  /// Rounds a warp's 16 rows of sums, a lane's two rows times `factors`, and writes them to the
  /// rows from `first`: through `tile`, the warp's own, so that it writes 16 bytes at a time.
  template <class T>
  __device__ static void store(const HeadRows<T>& to, int first, T* tile,
                               const float (&sums)[chunks][4], const float (&factors)[2],
                               int lane) {
    __syncwarp();  // what the tile held has been read
#pragma unroll
    for (int j = 0; j < chunks; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        T* const pair = tile + at(lane / 4 + 8 * half, j) + lane % 4 * 2;
        *reinterpret_cast<uint32_t*>(pair) =
            word_of<T>(sums[j][2 * half] * factors[half], sums[j][2 * half + 1] * factors[half]);
      }
    }
    __syncwarp();
    for (int i = lane; i < attention_warp_rows * chunks; i += 32) {
      const int row = i / chunks, chunk = i % chunks;
      if (first + row >= to.count || chunk * 8 >= to.D) continue;
      Eight<T>::at(tile + at(row, chunk)).store(to.data + (first + row) * to.stride + chunk * 8);
    }
  }
};

/// A warp's 16 rows as left operands, 16 elements each: in registers if `held`, else read from
/// shared memory each time.
template <class T, int D, bool held>
struct OwnRows {
  using Part = uint32_t[4];
  int begin;  // where the lane begins, HeadTile::lane_begin
  Part parts[held ? D / 16 : 1];

  /// Once, after the rows have arrived.
  __device__ void hold(int lane_begin) {
    begin = lane_begin;
    if constexpr (held) {
#pragma unroll
      for (int c = 0; c < D / 16; ++c) read(parts[c], c);
    }
  }
  __device__ const Part& part(int c) {
    if constexpr (held) return parts[c];
    read(parts[0], c);
    return parts[0];
  }
  __device__ void read(Part& to, int c) const {
    load_matrices(to, dynamic_shared<T>() + HeadTile<D>::of_part(begin, 0, 16 * c));
  }
};

/// Tiles of two operands' rows in shared memory, the second's behind the first's: `stages` pairs
/// are there or on their way, each with `extra` elements behind it for what goes with the rows.
template <class T, int D, int extra = 0>
struct TilePairs {
  static constexpr int stages = D <= 64 ? 3 : 2;
  static constexpr int tile = attention_tile_rows * D;  // elements
  static constexpr int stage = 2 * tile + extra;

  HeadRows<const T> first, second;
  int begin;  // element of shared memory

  static size_t shared_bytes(int warps, int own) {
    return sizeof(T) * (static_cast<size_t>(warps) * static_cast<size_t>(own) + stages * stage);
  }
  __device__ int count() const {
    return (first.count + attention_tile_rows - 1) / attention_tile_rows;
  }
  /// Rows of tile i and of those behind it.
  __device__ int left(int i) const { return first.count - i * attention_tile_rows; }
  /// Where pair i begins.
  __device__ int at(int i) const { return begin + i % stages * stage; }

  /// Calls load(i) well before use(i); in between all copies that the block began there arrive.
  template <class Load, class Use>
  __device__ void walk(const Load& load, const Use& use) const {
    const int tiles = count();
    const auto ask = [&](int i) {
      if (i < tiles) {
        copy(i, first, 0);
        copy(i, second, tile);
        load(i);
      }
      copy_async_commit();  // also where nothing is left to load, so that groups can be counted
    };
    for (int i = 0; i < stages - 1; ++i) ask(i);
    for (int i = 0; i < tiles; ++i) {
      copy_async_wait<stages - 2>();
      __syncthreads();  // everybody's part of the pair is here, and nobody reads the one replaced
                        // next
      ask(i + stages - 1);
      use(i);
    }
    copy_async_wait<0>();
  }

  __device__ void copy(int i, const HeadRows<const T>& rows, int behind) const {
    HeadTile<D>::template copy<attention_tile_rows>(
        dynamic_shared<T>() + at(i) + behind, rows, i * attention_tile_rows,
        static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x));
  }
};

/// Adds a times a 16×16 part of a tile, its elements along k: eight of its rows to each sum. `part`
/// is where the lane begins, HeadTile::of_part.
template <class T>
__device__ void multiply_rows(float (&first)[4], float (&second)[4], const uint32_t (&a)[4],
                              const T* part) {
  uint32_t b[4];
  load_matrices(b, part);
  multiply_add(first, a, b[0], b[2], T());
  multiply_add(second, a, b[1], b[3], T());
}

/// The same with its rows along k: eight of its elements to each sum.
template <class T>
__device__ void multiply_elements(float (&first)[4], float (&second)[4], const uint32_t (&a)[4],
                                  const T* part) {
  uint32_t b[4];
  load_matrices_transposed(b, part);
  multiply_add(first, a, b[0], b[1], T());
  multiply_add(second, a, b[2], b[3], T());
}

/// Two neighbouring 16×8 parts of a product, rounded: the left operand of the next product.
template <class T>
__device__ void as_left_operand(uint32_t (&to)[4], const float (&first)[4],
                                const float (&second)[4]) {
  to[0] = word_of<T>(first[0], first[1]);
  to[1] = word_of<T>(first[2], first[3]);
  to[2] = word_of<T>(second[0], second[1]);
  to[3] = word_of<T>(second[2], second[3]);
}

}  // namespace burin::cuda
