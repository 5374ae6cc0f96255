#include "burin/apps/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>

#include "burin/apps/printable.h"
#include "burin/apps/table.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

using namespace std::chrono_literals;

constexpr auto redraw_interval = 100ms;
constexpr int fewest_bar_columns = 8, most_bar_columns = 20;

double fraction_of(const ProgressState& state) {
  if (state.total <= 0) return 0;
  return std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
}

std::string drawn_bar(double fraction, int columns, const Terminal& terminal) {
  const int half_columns = static_cast<int>(fraction * 2 * columns);
  const int full = half_columns / 2;
  const bool half = half_columns % 2 == 1;
  std::string bar = terminal.color ? "\x1b[32m" : "";
  for (int i = 0; i < full; ++i) bar += terminal.unicode ? "━" : "=";
  if (half) bar += terminal.unicode ? "╸" : ">";
  if (terminal.color) bar += "\x1b[90m";
  // Without colour the rest must look different from what is done.
  const char* const rest = terminal.color && terminal.unicode ? "━" : terminal.unicode ? "─" : "-";
  for (int i = full + (half ? 1 : 0); i < columns; ++i) bar += rest;
  return terminal.color ? bar + "\x1b[0m" : bar;
}

/// The first `width` columns of a line: a code point is taken as one, an escape sequence as none.
std::string clipped(const std::string& text, int width) {
  std::string result;
  int columns = 0;
  bool escape = false;
  for (const char c : text) {
    if (c == '\x1b') escape = true;
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!escape && !continues && ++columns > width) break;
    result += c;
    if (escape && c == 'm') escape = false;
  }
  const bool cut = result.size() < text.size();
  return cut && text.find('\x1b') != std::string::npos ? result + "\x1b[0m" : result;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<int64_t>(std::max(0.0, std::round(seconds)));
  char buffer[32];
  if (total >= 3600) {
    std::snprintf(buffer, sizeof(buffer), "%d:%02d:%02d", static_cast<int>(total / 3600),
                  static_cast<int>(total / 60 % 60), static_cast<int>(total % 60));
  } else {
    std::snprintf(buffer, sizeof(buffer), "%02d:%02d", static_cast<int>(total / 60),
                  static_cast<int>(total % 60));
  }
  return buffer;
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char buffer[32];
  std::strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &local);
  return buffer;
}

std::string bar_text(const ProgressState& state, double seconds, const Terminal& terminal) {
  const double fraction = fraction_of(state);
  std::string before =
      state.epochs > 0 ? str("  ", state.epoch, '/', state.epochs, "  ") : std::string("  ");
  char percent[16];
  std::snprintf(percent, sizeof(percent), "%3d%%", static_cast<int>(fraction * 100));
  before += str(printable(state.title), ' ', percent, ' ');
  std::string after = str("  ", state.done, '/', state.total, "  ", clock_text(seconds));
  if (fraction > 0 && seconds > 0) after += "<" + clock_text(seconds * (1 - fraction) / fraction);
  if (state.items > 0 && seconds > 0) {
    after += str("  ", fixed(static_cast<double>(state.items) / seconds, 1), " img/s");
  }
  for (const auto& [name, value] : state.values) after += str("  ", name, ' ', value);
  const int width = terminal.width - 1;  // the last column would make some terminals wrap
  // Numbers need the room more than the bar does.
  const int room = width - columns_of(before) - columns_of(after);
  const int columns = std::clamp(room, fewest_bar_columns, most_bar_columns);
  return clipped(before + drawn_bar(fraction, columns, terminal) + after, width);
}

std::string line_text(const ProgressState& state, double seconds) {
  std::string text = printable(state.title);
  if (state.epochs > 0) text += str(" epoch=", state.epoch, '/', state.epochs);
  text += str(" step=", state.done, '/', state.total);
  for (const auto& [name, value] : state.values) text += str(' ', name, '=', value);
  if (state.items > 0 && seconds > 0) {
    text += str(" img_per_s=", fixed(static_cast<double>(state.items) / seconds, 1));
  }
  const double fraction = fraction_of(state);
  if (fraction > 0 && seconds > 0) {
    text += " left=" + clock_text(seconds * (1 - fraction) / fraction);
  }
  return text;
}

Progress::Progress(const Terminal& terminal, double log_interval_seconds, Log log)
    : terminal_(terminal), log_interval_(log_interval_seconds), log_(std::move(log)) {}

bool Progress::due() const {
  const Clock::time_point now = Clock::now();
  return (terminal_.bar && now - last_bar_ >= redraw_interval) || now - last_line_ >= log_interval_;
}

void Progress::begin_phase_if_new(const ProgressState& state) {
  const std::string phase = str(state.title, state.epoch);
  if (phase == phase_) return;
  phase_ = phase;
  phase_start_ = Clock::now();
  phase_first_ = state.done;
  last_bar_ = {};
}

void Progress::update(const ProgressState& state) {
  begin_phase_if_new(state);
  const Clock::time_point now = Clock::now();
  // As if the pace since the phase was first seen had been that of its beginning too.
  const double seen = std::chrono::duration<double>(now - phase_start_).count();
  const double counted = static_cast<double>(state.done - phase_first_);
  const double seconds = counted > 0 ? seen * static_cast<double>(state.done) / counted : 0;
  const bool last = state.done == state.total;
  if (terminal_.bar && (now - last_bar_ >= redraw_interval || last)) {
    std::cerr << '\r' << bar_text(state, seconds, terminal_) << "\x1b[K" << std::flush;
    last_bar_ = now;
    bar_shown_ = true;
  }
  if (now - last_line_ >= log_interval_) {
    last_line_ = now;
    write_line(line_text(state, seconds));
  }
}

void Progress::note(const std::string& text) {
  const Clock::time_point now = Clock::now();
  if (!terminal_.bar || now - last_bar_ < redraw_interval) return;
  std::cerr << '\r' << clipped(text, terminal_.width - 1) << "\x1b[K" << std::flush;
  last_bar_ = now;
  bar_shown_ = true;
}

void Progress::write_line(const std::string& text) const {
  const std::string line = timestamp() + " " + text;
  if (terminal_.lines && !terminal_.bar) std::cerr << line << std::endl;
  if (log_) log_(line);
}

void Progress::say(const std::string& text, const std::string& logged) {
  clear();
  const std::string shown = printable_lines(text);
  const bool has_plain = !logged.empty();
  if (terminal_.bar || (terminal_.lines && !has_plain)) std::cerr << shown << std::endl;
  if (has_plain) {
    write_line(logged);
  } else if (log_) {
    log_(shown);
  }
}

void Progress::clear() {
  if (bar_shown_) std::cerr << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

}  // namespace burin::apps
