#pragma once

#include <memory>

#include "burin/kernels/device_runtime.h"

namespace burin {

/// Addresses for as many bytes as the host has memory, with memory behind those that are in use.
/// Null where the process may not have so many (ulimit -v).
std::unique_ptr<GrowingMemory> reserve_host_addresses();

}  // namespace burin
