#include <iostream>
#include <memory>

#include "burin/apps/commands.h"
#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/kernels_report.h"

namespace burin::apps {
namespace {

struct KernelsOptions {
  std::vector<std::string> words;  // [check|bench] [OP]
  bool why = false;
  std::string device = "cpu";
  double seconds = 0.3;
};

int run_kernels(const KernelsOptions& options, const Session& session) {
  std::vector<std::string> words = options.words;
  std::string action;
  if (!words.empty() && (words.front() == "check" || words.front() == "bench")) {
    action = words.front();
    words.erase(words.begin());
  }
  if (words.size() > 1) {
    throw Failure(exit_usage, str("unexpected argument '", words[1], "'"),
                  "burin kernels [check|bench] [OP]");
  }
  KernelSelection selection;
  if (!words.empty()) selection.op = words.front();
  if (!action.empty()) selection.impl = session.globals.impl;
  selection.device = choose_device(options.device);

  Progress progress(make_terminal(session.globals), 10);
  if (action == "check") {
    return check_kernels(std::cout, selection, progress) == 0 ? exit_ok : exit_failed;
  }
  if (action == "bench") {
    const int wrong = bench_kernels(std::cout, selection, options.seconds, progress);
    return wrong == 0 ? exit_ok : exit_failed;
  }
  if (options.why) {
    print_kernel_reasons(std::cout, selection);
  } else {
    print_kernel_table(std::cout, selection);
  }
  return exit_ok;
}

}  // namespace

Command kernels_command() {
  const auto options = std::make_shared<KernelsOptions>();
  Command command("kernels", "Engine", "the ops and their implementations; check and time them");
  command.details =
      "burin kernels               ops x implementations x dtypes\n"
      "burin kernels conv2d --why  families, the order of trial, reasons to refuse\n"
      "burin kernels check [OP]    hold implementations to its cases (--impl X: only X)\n"
      "burin kernels bench [OP]    time them on the shapes of real networks\n"
      "BURIN_PLUGINS=./libmine.so burin kernels check conv2d --impl mine     your own";
  command.add("words", &options->words, "[check|bench] [OP]");
  command.add("--why", &options->why, "give the reasons");
  command.add("--device", &options->device, "cpu, cuda, cuda:N, emulator or emulator:N");
  command.add("--seconds", &options->seconds, "for how long each case is timed", above(0));
  command.run = [options](const Session& session) { return run_kernels(*options, session); };
  return command;
}

}  // namespace burin::apps
