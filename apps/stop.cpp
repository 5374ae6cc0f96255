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

void catch_signal(int signal) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // Back to the default after the first: a second Ctrl-C ends even what never looks at the flag.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  return stop;
}

void catch_interrupts() {
  catch_signal(SIGINT);
  catch_signal(SIGTERM);
  if (handler_of(SIGHUP) != SIG_IGN) catch_signal(SIGHUP);  // else nohup's wish
}

void catch_interrupts_and_broken_pipes() {
  catch_interrupts();
  if (handler_of(SIGPIPE) != SIG_IGN) catch_signal(SIGPIPE);
}

void release_interrupts() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  for (const int signal : {SIGHUP, SIGPIPE}) {
    if (handler_of(signal) == on_signal) std::signal(signal, SIG_DFL);
  }
  stop.store(false);
}

}  // namespace burin::apps
