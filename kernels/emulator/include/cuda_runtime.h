#pragma once

// Stands in for CUDA's header of this name when the host compiler builds kernels/cuda/*.cu.
#include "burin/kernels/emulator/dialect/atomics.h"
#include "burin/kernels/emulator/dialect/keywords.h"
#include "burin/kernels/emulator/dialect/launch.h"
#include "burin/kernels/emulator/dialect/math.h"
#include "burin/kernels/emulator/dialect/threads.h"
#include "burin/kernels/emulator/dialect/vectors.h"
#include "burin/kernels/emulator/dialect/warp.h"
