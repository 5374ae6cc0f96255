#pragma once

#include <memory>

#include "burin/kernels/device_runtime.h"

namespace burin::emulator {

/// Device::emulator(0), Device::emulator(1), … as devices like others; BURIN_EMULATOR_DEVICES says
/// how many.
std::shared_ptr<DeviceRuntime> make_runtime();

}  // namespace burin::emulator
