#pragma once

#include <vector>

#include "burin/kernels/op.h"

namespace burin {

/// y = the inputs one after another along `axis`. (Backward is a copy from slices of dy.)
struct Concat {
  static constexpr std::string_view name = "concat";
  std::vector<ConstView>
      inputs;  // at least one; equal dtype and rank, equal extents but along axis
  View y;
  int axis = 0;
};

/// What of this a problem does not keep, in words; empty if it is sound.
Refusal breach_of(const Concat& op);

/// The part of y, from index `first` along the axis on, that `input` fills.
View slice_of(const Concat& op, const ConstView& input, int64_t first);

}  // namespace burin
