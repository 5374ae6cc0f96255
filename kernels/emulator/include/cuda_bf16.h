#pragma once

// Stands in for CUDA's header of this name.
#include "burin/kernels/emulator/dialect/half.h"
