#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
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
  // OMP_NUM_THREADS=1000000 would be more than libgomp has room for on the stack.
  const int threads = globals.threads > 0 ? globals.threads : compute_threads();
  set_compute_threads(std::min(threads, most_threads));
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

/// Takes the places of standard streams that are closed, or the next file that is opened gets one
/// and what is printed lands in it. They refuse what their stream does.
void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) < 0) {
      open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
  }
}

/// Weight files are read through the page cache: one that another program cuts short meanwhile, or
/// whose disk fails, is no error that a call returns.
void end_with_bus_error(int /*signal*/) {
  constexpr std::string_view words =
      "burin: error: a file was cut short while it was read, or its disk fails\n";
  const bool said = write(STDERR_FILENO, words.data(), words.size()) > 0;
  _exit(said ? exit_bad_input : exit_failed);
}

/// Throws Failure where what was printed did not arrive: results in a file on a full disk.
void finish_output() {
  std::cout.flush();
  if (!std::cout || std::ferror(stdout) != 0) {
    throw Failure(exit_failed, "the results can't be written to the standard output");
  }
}

}  // namespace burin::apps

int main(int argc, char** argv) {
  burin::apps::hold_standard_streams();
  burin::apps::set_wait_policy(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error to report
  std::signal(SIGBUS, burin::apps::end_with_bus_error);
  std::string program = "burin";
  try {
    const int code = burin::apps::run_command_line({argv + 1, argv + argc}, program);
    burin::apps::finish_output();
    return code;
  } catch (const std::exception& error) {
    return burin::apps::report_error(error, program);
  }
}
