#pragma once

#include <string>

#include "burin/kernels/base/device.h"

namespace burin::apps {

/// The device that --device names. "auto" takes a GPU if there is one, else the CPU.
/// Throws Failure: usage for a word that names none, no-device (exit code 4) for one that is not
/// there.
Device choose_device(const std::string& text);

}  // namespace burin::apps
