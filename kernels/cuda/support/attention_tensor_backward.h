#pragma once

#include "burin/kernels/cuda/support/attention_tile.h"

namespace burin::cuda {

// Two kernels: a warp owns 16 queries and gathers dq from the keys, then a warp owns 16 keys and
// gathers dk and dv from the queries. Scores are computed twice, but nothing is added by several
// blocks. Dao et al. 2022, arXiv:2205.14135, app. B.

/// What the second kernel needs of each query, left by the first: log_sum_exp / log 2 in x and
/// r = Σ_d dy · y in y. The rows of a head begin at 16 bytes: a row of zeros is behind an odd
/// number of queries.
inline constexpr int statistics_pair = 2;
__host__ __device__ inline int64_t statistics_pitch(int64_t T) {
  return (T + statistics_pair - 1) / statistics_pair * statistics_pair;
}

/// Σ_d a · b of row `row`, the same in both lanes of a pair; 0 behind the last row.
template <class T>
__device__ float row_product(const HeadRows<const T>& a, const HeadRows<const T>& b, int row,
                             int lane) {
  float sum = 0;
  const int chunks = row < a.count ? a.D / 8 : 0;
  for (int chunk = lane % 2; chunk < chunks; chunk += 2) {
    const auto x = Eight<T>::at(a.data + row * a.stride + chunk * 8);
    const auto y = Eight<T>::at(b.data + row * b.stride + chunk * 8);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += x[i] * y[i];
  }
  return sum + __shfl_xor_sync(0xffffffffu, sum, 1);
}

/// Products of a warp's own rows, of two operands, with 16 rows of the other side.
template <class T, int D>
struct AttentionProducts {
  float s[2][4] = {}, dp[2][4] = {};

  /// s = first · tile, dp = second · the tile behind it, for the 16 rows that begin at `tile`.
  template <class First, class Second>
  __device__ AttentionProducts(First& first, Second& second, int tile) {
    using Tile = HeadTile<D>;
    const T* const shared = dynamic_shared<T>();
#pragma unroll
    for (int c = 0; c < D / 16; ++c) {
      multiply_rows(s[0], s[1], first.part(c), shared + Tile::of_part(tile, 0, 16 * c));
      multiply_rows(dp[0], dp[1], second.part(c),
                    shared + Tile::of_part(tile, attention_tile_rows, 16 * c));
    }
  }
};

/// A warp's 16 queries. A lane holds parts of two rows, lane / 4 and the eighth behind it.
template <class T, int D>
struct AttentionQueryGradients {
  using Tile = HeadTile<D>;

  OwnRows<T, D, D <= 64> q, dy;
  float dq[D / 8][4] = {};
  float log2_sum_exp[2];
  float r[2];

  __device__ AttentionQueryGradients(const AttentionBackwardRows<T>& op, const AttentionWarp& at) {
    const AttentionExtents& e = op.e;
    const float product =
        row_product(HeadRows<const T>(op.dy, at, e.T, e.D), HeadRows<const T>(op.y, at, e.T, e.D),
                    at.first + at.lane / 2, at.lane);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = at.lane / 4 + 8 * half;
      r[half] = __shfl_sync(0xffffffffu, product, 2 * row);
      const bool inside = at.first + row < e.T;
      log2_sum_exp[half] = inside ? op.log_sum_exp[at.head * e.T + at.first + row] * log2_e : 0;
    }
  }

  /// Leaves them to the kernel that follows.
  __device__ void store(float2* statistics, const AttentionWarp& at, int64_t queries) const {
    const int64_t pitch = statistics_pitch(queries);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = at.first + at.lane / 4 + 8 * half;
      if (at.lane % 4 != 0 || row >= pitch) continue;
      statistics[at.head * pitch + row] = make_float2(log2_sum_exp[half], r[half]);
    }
  }

  /// Adds what 16 keys give, the first `left` of them if not `whole`.
  template <bool whole>
  __device__ void add(int k, int left, float scale, int lane) {
    AttentionProducts<T, D> products(q, dy, k);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float p = exp2_approximate(fmaf(products.s[j][i], scale, -log2_sum_exp[i / 2]));
        products.dp[j][i] = p * (products.dp[j][i] - r[i / 2]);
        // p of a key that is not there may be infinite.
        if (!whole && 8 * j + lane % 4 * 2 + i % 2 >= left) products.dp[j][i] = 0;
      }
    }
    uint32_t ds[4];
    as_left_operand<T>(ds, products.dp[0], products.dp[1]);
#pragma unroll
    for (int c = 0; c < D / 16; ++c) {
      multiply_elements(dq[2 * c], dq[2 * c + 1], ds,
                        dynamic_shared<T>() + Tile::of_part(k, 0, 16 * c));
    }
  }
};

/// Variant `tensor_cores`, dq.
template <class T, int D>
__global__ void __launch_bounds__(32 * attention_most_warps<D>, 2)
    attention_backward_query_tensor_cores(AttentionBackwardRows<T> op, float2* statistics) {
  using Tile = HeadTile<D>;
  const AttentionExtents& e = op.e;
  const AttentionWarp at(e.T, e.H);
  constexpr int operand = attention_warp_rows * D;
  T* const own = dynamic_shared<T>() + at.warp * 2 * operand;
  Tile::template copy<attention_warp_rows>(own, HeadRows<const T>(op.q, at, e.T, e.D), at.first,
                                           at.lane, 32);
  Tile::template copy<attention_warp_rows>(own + operand, HeadRows<const T>(op.dy, at, e.T, e.D),
                                           at.first, at.lane, 32);
  AttentionQueryGradients<T, D> gradients(op, at);
  gradients.store(statistics, at, e.T);

  const TilePairs<T, D> keys{HeadRows<const T>(op.k, at, e.U, e.D),
                             HeadRows<const T>(op.v, at, e.U, e.D), at.warps * 2 * operand};
  const int begin = Tile::lane_begin(at.warp * 2 * operand, at.lane);
  const float scale = op.scale * log2_e;
  keys.walk([](int /*tile*/) {},
            [&](int tile) {
              if (at.first >= e.T) return;  // a warp without queries only helps to load
              if (tile == 0) {
                gradients.q.hold(begin);
                gradients.dy.hold(begin + operand);
              }
              const int k = Tile::lane_begin(keys.at(tile), at.lane);
#pragma unroll 1
              for (int row = 0; row < min(keys.left(tile), attention_tile_rows); row += 16) {
                const int left = static_cast<int>(e.U - (tile * attention_tile_rows + row));
                if (left >= 16) {
                  gradients.template add<true>(k + row * D, left, scale, at.lane);
                } else {
                  gradients.template add<false>(k + row * D, left, scale, at.lane);
                }
              }
            });
  if (at.first >= e.T) return;
  Tile::store(HeadRows<T>(op.dq, at, e.T, e.D), at.first, own, gradients.dq, {op.scale, op.scale},
              at.lane);
}

/// A warp's 16 keys. A lane holds parts of two rows, lane / 4 and the eighth behind it; p and ds
/// are held with keys along M, queries along N.
template <class T, int D>
struct AttentionKeyGradients {
  using Tile = HeadTile<D>;

  OwnRows<T, D, D <= 64> k;
  OwnRows<T, D, false> v;  // k's are all that fit beside the sums
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};

  /// Adds what 16 queries give. Those behind the last one are zeros with statistics 0: p is 1 and
  /// multiplies a dy of 0.
  __device__ void add(int q, const float2* statistics, float scale, int lane) {
    AttentionProducts<T, D> products(k, v, q);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const float4 two = *reinterpret_cast<const float4*>(statistics + 8 * j + lane % 4 * 2);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float log2_sum_exp = i % 2 == 0 ? two.x : two.z, r = i % 2 == 0 ? two.y : two.w;
        products.s[j][i] = exp2_approximate(fmaf(products.s[j][i], scale, -log2_sum_exp));
        products.dp[j][i] = products.s[j][i] * (products.dp[j][i] - r);
      }
    }
    const T* const shared = dynamic_shared<T>();
    uint32_t p[4], ds[4];
    as_left_operand<T>(p, products.s[0], products.s[1]);
    as_left_operand<T>(ds, products.dp[0], products.dp[1]);
#pragma unroll
    for (int c = 0; c < D / 16; ++c) {
      multiply_elements(dv[2 * c], dv[2 * c + 1], p,
                        shared + Tile::of_part(q, attention_tile_rows, 16 * c));
      multiply_elements(dk[2 * c], dk[2 * c + 1], ds, shared + Tile::of_part(q, 0, 16 * c));
    }
  }
};

/// Tiles of q and dy, and the rows' statistics, counted in 16-bit elements.
inline constexpr int statistics_elements = attention_tile_rows * int{sizeof(float2)} / 2;
template <class T, int D>
using AttentionQueryTiles = TilePairs<T, D, statistics_elements>;

/// Warps of a block that owns keys, at most: two sums each leave registers for fewer.
template <int D>
inline constexpr int attention_most_key_warps = D <= 64 ? 6 : 4;

/// Variant `tensor_cores`, dk and dv.
template <class T, int D>
__global__ void __launch_bounds__(32 * attention_most_key_warps<D>, 2)
    attention_backward_key_tensor_cores(AttentionBackwardRows<T> op, const float2* statistics) {
  using Tile = HeadTile<D>;
  using Queries = AttentionQueryTiles<T, D>;
  const AttentionExtents& e = op.e;
  const AttentionWarp at(e.U, e.H);
  constexpr int operand = attention_warp_rows * D;
  T* const own = dynamic_shared<T>() + at.warp * 2 * operand;
  Tile::template copy<attention_warp_rows>(own, HeadRows<const T>(op.k, at, e.U, e.D), at.first,
                                           at.lane, 32);
  Tile::template copy<attention_warp_rows>(own + operand, HeadRows<const T>(op.v, at, e.U, e.D),
                                           at.first, at.lane, 32);

  AttentionKeyGradients<T, D> gradients;
  const Queries queries{HeadRows<const T>(op.q, at, e.T, e.D),
                        HeadRows<const T>(op.dy, at, e.T, e.D), at.warps * 2 * operand};
  const auto statistics_of = [&](int tile) {
    return reinterpret_cast<float2*>(dynamic_shared<T>() + queries.at(tile) + 2 * Queries::tile);
  };
  const int begin = Tile::lane_begin(at.warp * 2 * operand, at.lane);
  const float scale = op.scale * log2_e;
  const int64_t pitch = statistics_pitch(e.T);
  const auto load = [&](int tile) {
    const int pair = static_cast<int>(threadIdx.x) * statistics_pair;
    const int row = tile * attention_tile_rows + pair;
    if (pair >= attention_tile_rows) return;
    copy_async_16(statistics_of(tile) + pair, statistics + at.head * pitch + row, row < pitch);
  };
  queries.walk(load, [&](int tile) {
    if (at.first >= e.U) return;  // a warp without keys only helps to load
    if (tile == 0) {
      gradients.k.hold(begin);
      gradients.v.hold(begin + operand);
    }
    const int q = Tile::lane_begin(queries.at(tile), at.lane);
#pragma unroll 1
    for (int row = 0; row < min(queries.left(tile), attention_tile_rows); row += 16) {
      gradients.add(q + row * D, statistics_of(tile) + row, scale, at.lane);
    }
  });
  if (at.first >= e.U) return;
  Tile::store(HeadRows<T>(op.dk, at, e.U, e.D), at.first, own, gradients.dk, {op.scale, op.scale},
              at.lane);
  Tile::store(HeadRows<T>(op.dv, at, e.U, e.D), at.first, own + operand, gradients.dv, {1, 1},
              at.lane);
}

}  // namespace burin::cuda
