#pragma once

#include <atomic>

namespace burin::apps {

/// Set by Ctrl-C, SIGTERM, and SIGHUP where nohup does not ignore it, once catch_interrupts was
/// called; long work looks at it between steps. A second one ends the process at once.
const std::atomic<bool>& stop_requested();
void catch_interrupts();
/// The same with SIGPIPE among them, for work that has something to save: whoever read what is
/// printed is gone.
void catch_interrupts_and_broken_pipes();
/// Forgets that there was one; the next ends the process, as before catch_interrupts.
void release_interrupts();

}  // namespace burin::apps
