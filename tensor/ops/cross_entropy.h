#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

/// torch's names and defaults.
struct CrossEntropyOptions {
  Tensor class_weight = {};  // [C] f32, or undefined: 1 each
  float label_smoothing = 0;
  int64_t ignore_index = -100;
};

/// Mean cross-entropy of logits [N, C] and class indices [N] (i64): a scalar []. Takes logits, not
/// probabilities. A target outside [0, C) other than ignore_index makes it NaN.
/// See kernels/cross_entropy.h. Differentiable in the logits.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});

/// The loss of each sample [N]. A gradient asked of the logits is an error.
Tensor cross_entropy_per_sample(const Tensor& logits, const Tensor& target,
                                const CrossEntropyOptions& options = {});

}  // namespace burin
