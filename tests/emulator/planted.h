#pragma once

#include <string_view>

#include "burin/kernels/base/stream.h"

namespace burin {

/// Launches the kernel of planted.cu of that name on x, device memory of 1024 floats.
void run_planted(std::string_view name, float* x, Stream& stream);

}  // namespace burin
