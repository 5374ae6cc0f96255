#pragma once

#include <string>

#include "burin/kernels/base/device.h"

namespace burin::cuda {

// Compute capabilities as one number: 90 is 9.0.

/// The one whose code the GPU runs: its own, or that of the PTX which its driver compiled. Makes
/// the GPU the thread's current one.
int code_capability(int device);

/// Why the GPU runs none of this folder's kernels, or empty.
std::string gpu_refuses(int device);
/// Why it runs none in clusters of blocks, or empty.
std::string clusters_refuse(Device device);
/// Why it has no wgmma, or empty. That is Hopper's alone: later GPUs have other instructions.
std::string wgmma_refuses(Device device);

/// From here on there are clusters, and launches that overlap.
inline constexpr int hopper = 90;

}  // namespace burin::cuda
