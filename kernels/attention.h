#pragma once

#include "burin/kernels/op.h"

namespace burin {

/// Scaled dot-product attention, for every image n and head h:
///
///   s[t, u] = scale · Σ_d q[t, d] · k[u, d],   p[t, ·] = softmax(s[t, ·]),
///   y[t, d] = Σ_u p[t, u] · v[u, d]
///
/// T queries look at U keys. Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
/// Agrees with torch.nn.functional.scaled_dot_product_attention.
/// Any strides, but the D elements of a row lie side by side: a layer's packed [N, T, 3, H, D] is
/// taken as three views.
/// In bf16 and f16 p may be rounded to that dtype before it multiplies v, and p and ds before they
/// multiply in backward: tensor cores take both operands in 16 bits. Sums are f32.
struct AttentionForward {
  static constexpr std::string_view name = "attention_forward";
  ConstView q;       // [N, H, T, D]  f32, bf16 or f16
  ConstView k;       // [N, H, U, D]  dtype of q
  ConstView v;       // [N, H, U, D]  dtype of q
  View y;            // [N, H, T, D]  dtype of q
  View log_sum_exp;  // [N, H, T]     f32, contiguous: log Σ_u exp(s[t, u]), kept for backward
  float scale = 1;   // > 0; 1 / √D in a Transformer
};

/// With p[t, u] = exp(s[t, u] − log_sum_exp[t]) and r[t] = Σ_d dy[t, d] · y[t, d]:
///
///   ds[t, u] = p[t, u] · (Σ_d dy[t, d] · v[u, d] − r[t]),
///   dq = scale · ds · k,   dk = scale · dsᵀ · q,   dv = pᵀ · dy
///
/// Nothing of size T · U is kept between the directions. Dao et al. 2022, arXiv:2205.14135, app. B.
struct AttentionBackward {
  static constexpr std::string_view name = "attention_backward";
  ConstView dy;           // [N, H, T, D]
  ConstView q;            // [N, H, T, D]  dtype of dy
  ConstView k;            // [N, H, U, D]  dtype of dy
  ConstView v;            // [N, H, U, D]  dtype of dy
  ConstView y;            // [N, H, T, D]  dtype of dy; what forward wrote
  ConstView log_sum_exp;  // [N, H, T]     f32; what forward wrote
  View dq;                // [N, H, T, D]  dtype of dy
  View dk;                // [N, H, U, D]  dtype of dy
  View dv;                // [N, H, U, D]  dtype of dy
  float scale = 1;
};

}  // namespace burin
