#pragma once

#include <string>
#include <vector>

#include "burin/apps/options.h"

namespace burin::apps {

/// The sub-commands, each in the file of its name.
Command scan_command();
Command prepare_command();
Command show_command();
Command train_command();
Command lr_find_command();
Command evaluate_command();
Command predict_command();
Command serve_command();
Command gradcam_command();
Command compare_command();
Command lint_command();
Command menu_command();
Command info_command();
Command kernels_command();
Command demo_command();

/// All of them, in the order --help lists them.
std::vector<Command> all_commands();

/// Reads a command line and runs its command; returns the exit code. Errors are thrown with
/// `program` set to whose they are.
int run_command_line(const std::vector<std::string>& arguments, std::string& program);

}  // namespace burin::apps
