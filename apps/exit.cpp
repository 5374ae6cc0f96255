#include "burin/apps/exit.h"

#include <filesystem>
#include <iostream>
#include <new>
#include <string_view>
#include <system_error>

#include "burin/apps/printable.h"

namespace burin::apps {
namespace {

constexpr std::string_view hint_mark = "\n  hint: ";

ExitCode code_of(const std::exception& error) {
  if (const auto* const failure = dynamic_cast<const Failure*>(&error)) return failure->code;
  const bool no_memory = dynamic_cast<const OutOfMemory*>(&error) != nullptr ||
                         dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return no_memory ? exit_no_memory : exit_failed;
}

bool is_of_threads(const std::exception& error) {
  const auto* const system = dynamic_cast<const std::system_error*>(&error);
  return system != nullptr && system->code() == std::errc::resource_unavailable_try_again;
}

std::string hint_of(const std::exception& error) {
  const auto* const failure = dynamic_cast<const Failure*>(&error);
  if (failure != nullptr && !failure->hint.empty()) return failure->hint;
  if (is_of_threads(error)) return "fewer --workers or --threads, or a higher limit (ulimit -u)";
  return code_of(error) != exit_no_memory ? ""
                                          : "a smaller --batch-size or --img-size, fewer --threads "
                                            "or --workers need less memory";
}

std::string message_of(const std::exception& error) {
  using std::filesystem::filesystem_error;
  if (const auto* const of_files = dynamic_cast<const filesystem_error*>(&error)) {
    return words_of(*of_files);
  }
  if (is_of_threads(error)) return str("a thread can't be started: ", error.what());
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ? "not enough memory"
                                                                : error.what();
}

}  // namespace

Failure::~Failure() = default;

std::string words_of(const std::filesystem::filesystem_error& error) {
  return str(error.path1().string(), ": ", error.code().message());
}

int report_error(const std::exception& error, const std::string& program) {
  const std::string message = message_of(error);
  std::cerr << program << ": error: " << printable_lines(message) << '\n';
  const std::string hint = hint_of(error);
  if (!hint.empty() && message.find(hint_mark) == std::string::npos) {
    std::cerr << hint_mark.substr(1) << printable(hint) << '\n';
  }
  return code_of(error);
}

}  // namespace burin::apps
