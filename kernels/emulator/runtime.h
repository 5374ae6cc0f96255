#pragma once

#include <memory>

#include "burin/kernels/device_runtime.h"

namespace burin::emulator {

/// Device::emulator() as a device like others.
std::shared_ptr<DeviceRuntime> make_runtime();

}  // namespace burin::emulator
