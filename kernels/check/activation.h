#pragma once

#include "burin/kernels/activation.h"

namespace burin::checks {

struct ValueAndSlope {
  double value;
  double slope;
};

/// The definition of each activation, and its derivative at x; also of the epilogues that fuse it.
ValueAndSlope activation(Activation kind, double x);

}  // namespace burin::checks
