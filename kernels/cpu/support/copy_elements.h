#pragma once

#include "burin/kernels/base/view.h"

namespace burin::cpu {

/// y = x as kernels/copy.h says, for other kernels of this family. Defined in cpu/copy.cpp.
void copy_elements(const ConstView& x, const View& y);

}  // namespace burin::cpu
