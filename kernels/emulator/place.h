#pragma once

#include <string>

#include "burin/kernels/base/error.h"
#include "burin/kernels/emulator/dialect/vectors.h"

namespace burin::emulator {

/// "(1,0,0)"
std::string place(uint3 index);
/// "conv2d.cu:120"
std::string place(const Where& where);

}  // namespace burin::emulator
