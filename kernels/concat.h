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

}  // namespace burin
