#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// Self-attention of `heads` heads over what one layer made: qkv [N, T, 3 · H · D], each token's
/// queries, keys and values of all heads one after the other, as timm's and torch's packed
/// projections lay them → y [N, T, H · D]. Scores are multiplied by 1 / √D.
/// Throws Error for shapes that do not divide. Differentiable. See kernels/attention.h.
Tensor attention(const Tensor& qkv, int64_t heads);

}  // namespace burin
