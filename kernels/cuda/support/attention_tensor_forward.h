#pragma once

#include "burin/kernels/cuda/support/attention_tile.h"

namespace burin::cuda {

/// Maximum and sum over the four lanes that hold a row of a product.
__device__ inline float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}
__device__ inline float quad_sum(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 1);
  return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

/// A warp's 16 queries and what they have gathered from the keys so far. A lane holds parts of two
/// rows, lane / 4 and the eighth behind it.
template <class T, int D>
struct AttentionQueries {
  using Tile = HeadTile<D>;
  static constexpr int parts = attention_tile_rows / 8;  // of the scores, eight keys each

  float y[D / 8][4] = {};
  float top[2] = {-INFINITY, -INFINITY};  // largest score · scale, for powers of two
  float sum[2] = {};                      // this lane's part of Σ 2^(score · scale − top)

  /// Looks at the first `keys` of a tile of keys and of the values behind it, at all of them if
  /// `whole`. Tiles are said by the element of shared memory where they begin.
  template <bool whole>
  __device__ void add(int q, int k, int keys, float scale, int lane) {
    const T* const shared = dynamic_shared<T>();
    q = Tile::lane_begin(q, lane);
    k = Tile::lane_begin(k, lane);
    const int v = k + attention_tile_rows * D;
    float s[parts][4] = {};
#pragma unroll
    for (int c = 0; c < D / 16; ++c) {
      uint32_t a[4];
      load_matrices(a, shared + Tile::of_part(q, 0, 16 * c));
#pragma unroll
      for (int j = 0; j < parts / 2; ++j) {
        if (!whole && 16 * j >= keys) continue;  // the same for the whole block
        multiply_rows(s[2 * j], s[2 * j + 1], a, shared + Tile::of_part(k, 16 * j, 16 * c));
      }
    }
    if constexpr (!whole) hide_behind(s, keys, lane);
    become_weights(s, scale);
#pragma unroll
    for (int j = 0; j < parts / 2; ++j) {
      if (!whole && 16 * j >= keys) continue;
      uint32_t p[4];
      as_left_operand<T>(p, s[2 * j], s[2 * j + 1]);
#pragma unroll
      for (int c = 0; c < D / 16; ++c) {
        multiply_elements(y[2 * c], y[2 * c + 1], p, shared + Tile::of_part(v, 16 * j, 16 * c));
      }
    }
  }

  /// Keys that are not there weigh nothing.
  __device__ static void hide_behind(float (&s)[parts][4], int keys, int lane) {
#pragma unroll
    for (int j = 0; j < parts; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (8 * j + lane % 4 * 2 + i % 2 >= keys) s[j][i] = -INFINITY;
      }
    }
  }

  /// Scores become 2^(score · scale − top); what was gathered so far counted from the old top.
  __device__ void become_weights(float (&s)[parts][4], float scale) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float largest = -INFINITY;
#pragma unroll
      for (int j = 0; j < parts; ++j) {
        largest = fmaxf(largest, fmaxf(s[j][2 * half], s[j][2 * half + 1]));
      }
      const float new_top = fmaxf(top[half], quad_max(largest) * scale);
      const float base = new_top == -INFINITY ? 0.0f : new_top;  // −∞ − (−∞) is no number
      const float shrink = exp2_approximate(top[half] - base);
      top[half] = new_top;
      sum[half] *= shrink;
#pragma unroll
      for (int c = 0; c < D / 8; ++c) {
        y[c][2 * half] *= shrink;
        y[c][2 * half + 1] *= shrink;
      }
#pragma unroll
      for (int j = 0; j < parts; ++j) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[j][i] = exp2_approximate(fmaf(s[j][i], scale, -base));
          sum[half] += s[j][i];
        }
      }
    }
  }
};

/// Variant `tensor_cores`. Tiles of keys and values come in the background while the ones before
/// are multiplied; neither scores nor weights leave the registers. Dao 2023, arXiv:2307.08691.
template <class T, int D>
__global__ void __launch_bounds__(32 * attention_most_warps<D>, 2)
    attention_forward_tensor_cores(AttentionForwardRows<T> op) {
  using Tile = HeadTile<D>;
  const AttentionExtents& e = op.e;
  const AttentionWarp at(e.T, e.H);
  const int own = at.warp * attention_warp_rows * D;
  const TilePairs<T, D> keys{HeadRows<const T>(op.k, at, e.U, e.D),
                             HeadRows<const T>(op.v, at, e.U, e.D),
                             at.warps * attention_warp_rows * D};
  AttentionQueries<T, D> queries;
  const float scale = op.scale * log2_e;
  Tile::template copy<attention_warp_rows>(
      dynamic_shared<T>() + own, HeadRows<const T>(op.q, at, e.T, e.D), at.first, at.lane, 32);
  keys.walk([](int /*tile*/) {},
            [&](int tile) {
              if (at.first >= e.T) return;  // a warp without queries only helps to load
              if (keys.left(tile) >= attention_tile_rows) {
                queries.template add<true>(own, keys.at(tile), keys.left(tile), scale, at.lane);
              } else {
                queries.template add<false>(own, keys.at(tile), keys.left(tile), scale, at.lane);
              }
            });
  if (at.first >= e.T) return;

  const float sums[2] = {quad_sum(queries.sum[0]), quad_sum(queries.sum[1])};
  Tile::store(HeadRows<T>(op.y, at, e.T, e.D), at.first, dynamic_shared<T>() + own, queries.y,
              {1 / sums[0], 1 / sums[1]}, at.lane);
  for (int half = 0; half < 2; ++half) {
    const int row = at.first + at.lane / 4 + 8 * half;
    if (at.lane % 4 != 0 || row >= e.T) continue;
    op.log_sum_exp[at.head * e.T + row] = queries.top[half] * log_2 + logf(sums[half]);
  }
}

}  // namespace burin::cuda
