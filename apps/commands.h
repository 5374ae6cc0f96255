#pragma once

#include <vector>

#include "burin/apps/options.h"

namespace burin::apps {

/// The sub-commands, each in the file of its name.
Command info_command();
Command kernels_command();

/// All of them, in the order --help lists them.
std::vector<Command> all_commands();

}  // namespace burin::apps
