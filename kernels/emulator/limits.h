#pragma once

#include <cstddef>

namespace burin::emulator {

// What a Hopper GPU (sm_90) refuses, the emulator refuses.
inline constexpr unsigned max_threads = 1024;                  // in a block
inline constexpr unsigned max_grid_yz = 65535;                 // grid.x: 2³¹ − 1
inline constexpr unsigned max_cluster = 8;                     // blocks, on every such GPU
inline constexpr unsigned max_cooperative = 8;                 // blocks; a GPU takes what it holds
inline constexpr size_t max_shared_bytes = size_t{227} << 10;  // dynamic, in a block

}  // namespace burin::emulator
