#include "burin/apps/stop.h"

#include <csignal>

namespace burin::apps {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int) {
  stop.store(true);
}

sighandler_t handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  return stop;
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // Back to the default after the first: a second Ctrl-C ends even what never looks at the flag.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (handler_of(SIGHUP) != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // else nohup's wish
}

void release_interrupts() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  if (handler_of(SIGHUP) == on_signal) std::signal(SIGHUP, SIG_DFL);
  stop.store(false);
}

}  // namespace burin::apps
