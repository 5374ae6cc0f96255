#pragma once

#include <string>
#include <vector>

#include "burin/apps/options.h"

namespace burin::apps {

/// The outcome of reading the command line.
struct Invocation {
  const Command* command = nullptr;  // null: help or the version was printed, nothing is to be done
  std::string program = "burin";     // "burin train", for messages
  Session session;
};

/// Reads the arguments, then for what they leave open the environment, then the config file, into
/// the targets of the commands' options. On an error, `invocation.program` says how far it got.
/// Throws Failure with exit_usage.
void read_command_line(const std::vector<std::string>& arguments,
                       const std::vector<Command>& commands, Invocation& invocation);

/// Every option as it is now, as TOML that --config takes back.
std::string resolved_arguments(Globals globals, const Command& command);

}  // namespace burin::apps
