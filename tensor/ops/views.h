#pragma once

#include "burin/tensor/tensor.h"

namespace burin {

// How ops show their tensors to kernels.

/// An operand that an op may go without.
inline ConstView view_or_absent(const Tensor& x) {
  return x.defined() ? x.view() : ConstView();
}

/// A contiguous tensor as rows along its last axis, [numel / C, C]. Not recorded.
inline Tensor as_rows(const Tensor& x) {
  const int64_t C = x.dim(-1);
  return x.alias({C > 0 ? x.numel() / C : 0, C}, {C, 1});
}

}  // namespace burin
