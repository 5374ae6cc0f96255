#pragma once

#include "burin/kernels/base/view.h"

namespace burin::onednn {

/// y ← max(y, 0), where NaN stays NaN: oneDNN's own ReLU makes it 0. For f32 and bf16 without gaps.
void relu_in_place(const View& y);

}  // namespace burin::onednn
