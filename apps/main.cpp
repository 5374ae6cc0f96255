#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "burin/apps/command_line.h"
#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/wait_policy.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/dispatch.h"
#include "burin/kernels/registry.h"

namespace burin::apps {

std::vector<Command> all_commands() {
  std::vector<Command> commands;
  commands.push_back(scan_command());
  commands.push_back(prepare_command());
  commands.push_back(show_command());
  commands.push_back(train_command());
  commands.push_back(lr_find_command());
  commands.push_back(evaluate_command());
  commands.push_back(predict_command());
  commands.push_back(serve_command());
  commands.push_back(gradcam_command());
  commands.push_back(compare_command());
  commands.push_back(info_command());
  commands.push_back(kernels_command());
  commands.push_back(lint_command());
  commands.push_back(demo_command());
  commands.push_back(menu_command());
  return commands;
}

namespace {

/// Applies what holds for the whole process.
void set_up(const Globals& globals) {
  if (globals.verbose) setenv("BURIN_LOG", "dispatch", 0);
  for (const char* const name : {"BURIN_PLUGINS", "BURIN_CPU_LEVEL"}) {
    if (std::getenv(name) != nullptr) failing_with(exit_usage, [] { registry(); });
  }
  if (globals.threads > 0) set_compute_threads(globals.threads);
  if (!globals.impl.empty()) {
    failing_with(exit_usage, [&] { set_implementations(globals.impl); });
  }
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments, std::string& program) {
  Invocation invocation;
  const std::vector<Command> commands = all_commands();
  try {
    read_command_line(arguments, commands, invocation);
    program = invocation.program;
  } catch (...) {
    program = invocation.program;
    throw;
  }
  if (invocation.command == nullptr) return exit_ok;
  set_up(invocation.session.globals);
  return invocation.command->run(invocation.session);
}

}  // namespace burin::apps

int main(int argc, char** argv) {
  burin::apps::set_wait_policy(argv);
  std::string program = "burin";
  try {
    return burin::apps::run_command_line({argv + 1, argv + argc}, program);
  } catch (const std::exception& error) {
    return burin::apps::report_error(error, program);
  }
}
