#pragma once

#include <memory>

#include "burin/kernels/device_runtime.h"

namespace burin::cuda {

/// Null if there is a GPU to work on, else why not, in words.
const char* why_unavailable();

/// All GPUs of the machine: Device::cuda(0), Device::cuda(1), …
std::shared_ptr<DeviceRuntime> make_runtime();

}  // namespace burin::cuda
