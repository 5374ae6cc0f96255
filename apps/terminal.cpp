#include "burin/apps/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace burin::apps {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// As setlocale would decide: the first of the three that is set.
bool speaks_utf8() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string locale = environment(name);
    if (locale.empty()) continue;
    return locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

int width_of_stderr() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const int columns = std::atoi(environment("COLUMNS").c_str());
  return columns > 0 ? columns : 80;
}

}  // namespace

Terminal make_terminal(const Globals& globals) {
  const bool tty = isatty(STDERR_FILENO) == 1;
  const bool dumb = environment("TERM") == "dumb" || environment("TERM").empty();
  const std::string mode = globals.quiet && globals.progress == "auto" ? "none" : globals.progress;

  Terminal terminal;
  terminal.bar = mode == "bar" || (mode == "auto" && tty && !dumb);
  terminal.lines = mode != "none";
  terminal.color = globals.color == "always" ||
                   (globals.color == "auto" && tty && !dumb && environment("NO_COLOR").empty());
  terminal.unicode = speaks_utf8();
  terminal.width = width_of_stderr();
  return terminal;
}

}  // namespace burin::apps
