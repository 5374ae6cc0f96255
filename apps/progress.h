#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "burin/apps/terminal.h"

namespace burin::apps {

/// One moment of some long work.
struct ProgressState {
  std::string title;              // "train"
  int64_t epoch = 0, epochs = 0;  // 0: there are none
  int64_t done = 0, total = 0;    // steps
  int64_t items = 0;              // images done so far in this phase: what the rate counts
  std::vector<std::pair<std::string, std::string>> values = {};  // {"loss", "0.402"}
};

/// "  2/3  train  62% ━━━━╸━━━  3/5  00:03<00:02  37.4 img/s  loss 0.402", at most terminal.width
/// columns.
std::string bar_text(const ProgressState& state, double seconds, const Terminal& terminal);
/// "train epoch=2/3 step=3/5 loss=0.402 img_per_s=37.4"
std::string line_text(const ProgressState& state, double seconds);
/// "00:05", "1:02:03"
std::string clock_text(double seconds);
/// "2026-11-21T22:04:16", local time
std::string timestamp();

/// Shows work on stderr: as a bar that is redrawn at most ten times a second, or, where that can't
/// be, as one line now and then. The same lines go to a log, whatever the terminal.
class Progress {
 public:
  using Log = std::function<void(const std::string& line)>;

  Progress(const Terminal& terminal, double log_interval_seconds, Log log = {});
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Shows `state`, if something is due.
  void update(const ProgressState& state);
  /// Shows a text in the bar's place, where there is a bar: for work whose end is not known.
  void note(const std::string& text);
  /// Whether update would show something now: ask before computing what is dear.
  bool due() const;

  /// A line that stays, made printable. `logged` is what the log and plain output say instead, if
  /// not empty.
  void say(const std::string& text, const std::string& logged = "");
  /// Takes the bar off the screen.
  void clear();

  bool draws_bar() const { return terminal_.bar; }

 private:
  using Clock = std::chrono::steady_clock;
  void begin_phase_if_new(const ProgressState& state);
  void write_line(const std::string& text) const;

  Terminal terminal_;
  std::chrono::duration<double> log_interval_;
  Log log_;
  std::string phase_;
  Clock::time_point phase_start_ = Clock::now();
  int64_t phase_first_ = 0;  // what was done when the phase was first seen
  Clock::time_point last_bar_{};
  Clock::time_point last_line_ = Clock::now();
  bool bar_shown_ = false;
};

}  // namespace burin::apps
