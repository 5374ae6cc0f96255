#pragma once

#include "burin/kernels/cuda/support/ptx.h"

namespace burin::cuda {

// Tiles of operands in shared memory, for tensor cores. A tile has `rows` rows along M or N and 64
// elements along k. Copies and reads move chunks of eight elements (16 bytes), eight to a line. So
// that the eight lanes that read a matrix meet different banks, the chunks of a line are permuted
// by the line's number. These are the layouts that wgmma reads as K-major and MN-major "128-byte
// swizzle", where a tile begins at a multiple of 1024 bytes.

inline constexpr int tile_depth = 64;
inline constexpr int tile_threads = 256;
inline constexpr int panel_rows = 64;
inline constexpr int panel = panel_rows * tile_depth;  // elements of 64 rows

/// A tile whose lines run along k: line = row, 8 chunks.
struct AlongK {
  static constexpr bool along_rows = false;
  static constexpr int bytes_to_next_16 = 32;  // steps along k

  template <int rows>
  __device__ static int at(int row, int k_chunk) {
    return row * tile_depth + (k_chunk ^ (row & 7)) * 8;
  }
  /// A 16×16 part as the left operand's registers.
  template <int rows, class T>
  __device__ static void load_left(uint32_t (&to)[4], const T* tile, int row, int k, int lane) {
    load_matrices(to, tile + at<rows>(row + lane % 16, k / 8 + lane / 16));
  }
  /// A 16×16 part as the right operand's registers: two for each of two eights of rows.
  template <int rows, class T>
  __device__ static void load_right(uint32_t (&to)[4], const T* tile, int row, int k, int lane) {
    const int i = lane / 8;
    load_matrices(to, tile + at<rows>(row + lane % 8 + i / 2 * 8, k / 8 + i % 2));
  }
};

/// A tile whose lines run along the rows: panels of 64 rows one behind the other, in each a line of
/// 8 chunks for each k.
struct AlongRows {
  static constexpr bool along_rows = true;
  static constexpr int bytes_to_next_16 = 2 * 16 * panel_rows;  // steps along k

  template <int rows>
  __device__ static int at(int k, int row_chunk) {
    return row_chunk / 8 * panel + k * panel_rows + ((row_chunk ^ k) & 7) * 8;
  }
  template <int rows, class T>
  __device__ static void load_left(uint32_t (&to)[4], const T* tile, int row, int k, int lane) {
    const int i = lane / 8;
    load_matrices_transposed(to, tile + at<rows>(k + lane % 8 + i / 2 * 8, row / 8 + i % 2));
  }
  template <int rows, class T>
  __device__ static void load_right(uint32_t (&to)[4], const T* tile, int row, int k, int lane) {
    const int i = lane / 8;
    load_matrices_transposed(to, tile + at<rows>(k + lane % 8 + i % 2 * 8, row / 8 + i / 2));
  }
};

/// A matrix in memory with k contiguous, rows a pitch apart. Pitch and extents are multiples of 8.
template <class T>
struct RowMatrix {
  using Lines = AlongK;
  const T* data;
  int64_t pitch;
  int rows;

  template <int tile_rows>
  struct Cursor {
    static constexpr int count = tile_rows / 32;
    const T* from;
    int row, k, k_end;

    __device__ Cursor(const RowMatrix& matrix, int row0, int k_begin, int end)
        : row(row0 + static_cast<int>(threadIdx.x) / 8),
          k(k_begin + static_cast<int>(threadIdx.x) % 8 * 8),
          k_end(end) {
      from = matrix.data + row * matrix.pitch;
    }
    /// Copies this thread's chunks of the tile at k and goes on to the next tile.
    __device__ void load(const RowMatrix& matrix, T* tile) {
      const int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const bool valid = row + 32 * i < matrix.rows && k < k_end;
        copy_async_16(tile + AlongK::at<tile_rows>(line + 32 * i, chunk),
                      from + 32 * i * matrix.pitch + k, valid);
      }
      k += tile_depth;
    }
  };
};

/// Which lines along the rows a thread copies: in each panel chunk `chunk` of lines `line` and
/// line + 32.
struct LinesOfPanels {
  static constexpr int passes = tile_depth / 32;
  int line = static_cast<int>(threadIdx.x) / 8, chunk = static_cast<int>(threadIdx.x) % 8;

  template <int rows>
  __device__ int at(int pass, int of_panel) const {
    return AlongRows::at<rows>(line + 32 * pass, 8 * of_panel + chunk);
  }
};

/// A matrix in memory with its rows (along M or N) contiguous, steps of k a pitch apart. Pitch and
/// rows are multiples of 8.
template <class T>
struct ColumnMatrix {
  using Lines = AlongRows;
  const T* data;
  int64_t pitch;
  int rows;

  template <int tile_rows>
  struct Cursor {
    LinesOfPanels lines;
    int row, k, k_end;

    __device__ Cursor(const ColumnMatrix& /*matrix*/, int row0, int k_begin, int end)
        : row(row0 + lines.chunk * 8), k(k_begin + lines.line), k_end(end) {}
    __device__ void load(const ColumnMatrix& matrix, T* tile) {
#pragma unroll
      for (int i = 0; i < LinesOfPanels::passes; ++i) {
        const T* const from = matrix.data + k * matrix.pitch + row;
#pragma unroll
        for (int p = 0; p < tile_rows / panel_rows; ++p) {
          const bool valid = row + panel_rows * p < matrix.rows && k < k_end;
          copy_async_16(tile + lines.template at<tile_rows>(i, p), from + panel_rows * p, valid);
        }
        k += 32;
      }
    }
  };
};

}  // namespace burin::cuda
