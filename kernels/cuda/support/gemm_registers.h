#pragma once

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/output.h"

namespace burin::cuda {

/// The product of two operands that are read element by element, in f32 on the ordinary units: any
/// dtype, layout and alignment. 64×64 sums a block, 4×4 a thread in registers; operands in shared
/// memory, from where they come 16 bytes at a time.
///
/// A Product says what is multiplied:
///   void select(int z)              which of the products that share the launch
///   int M, N, k_begin, k_end        after select()
///   bool a_along_k, b_along_k       which way neighbouring threads should read
///   float a(int m, int k), b(int n, int k)
///   void store(int m, int n, float sum)
template <class Product>
__global__ void __launch_bounds__(256) gemm_registers(Product product) {
  constexpr int tile = 64, depth = 16;
  __shared__ __align__(16) float a_tile[depth][tile + 4];
  __shared__ __align__(16) float b_tile[depth][tile + 4];
  product.select(static_cast<int>(blockIdx.z));
  const int m0 = static_cast<int>(blockIdx.x) * tile, n0 = static_cast<int>(blockIdx.y) * tile;
  if (m0 >= product.M || n0 >= product.N) return;  // a whole block leaves together
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread / 16 * 4, column = thread % 16 * 4;

  float sums[4][4] = {};
  for (int k0 = product.k_begin; k0 < product.k_end; k0 += depth) {
    for (int i = thread; i < tile * depth; i += 256) {
      const int m = product.a_along_k ? i / depth : i % tile;
      const int k = product.a_along_k ? i % depth : i / tile;
      const bool inside = m0 + m < product.M && k0 + k < product.k_end;
      a_tile[k][m] = inside ? product.a(m0 + m, k0 + k) : 0.0f;
    }
    for (int i = thread; i < tile * depth; i += 256) {
      const int n = product.b_along_k ? i / depth : i % tile;
      const int k = product.b_along_k ? i % depth : i / tile;
      const bool inside = n0 + n < product.N && k0 + k < product.k_end;
      b_tile[k][n] = inside ? product.b(n0 + n, k0 + k) : 0.0f;
    }
    __syncthreads();

    for (int k = 0; k < depth; ++k) {
      const float4 a = *reinterpret_cast<const float4*>(&a_tile[k][row]);
      const float4 b = *reinterpret_cast<const float4*>(&b_tile[k][column]);
      const float as[4] = {a.x, a.y, a.z, a.w}, bs[4] = {b.x, b.y, b.z, b.w};
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) sums[i][j] += as[i] * bs[j];
      }
    }
    __syncthreads();
  }

  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const int m = m0 + row + i, n = n0 + column + j;
      if (m < product.M && n < product.N) product.store(m, n, sums[i][j]);
    }
  }
}

/// Launches it for `count` products of at most M×N.
template <class Product>
void launch_registers(const Product& product, int64_t M, int64_t N, int64_t count, Stream& stream) {
  const dim3 grid(blocks_for(M, 64).x, blocks_for(N, 64).x, static_cast<unsigned>(count));
  launch(gemm_registers<Product>, {grid, 256, 0, stream}, product);
}

}  // namespace burin::cuda
