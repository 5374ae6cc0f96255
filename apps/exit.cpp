#include "burin/apps/exit.h"

#include <filesystem>
#include <iostream>
#include <new>
#include <string_view>

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

std::string hint_of(const std::exception& error) {
  const auto* const failure = dynamic_cast<const Failure*>(&error);
  if (failure != nullptr && !failure->hint.empty()) return failure->hint;
  return code_of(error) == exit_no_memory ? "a smaller --batch-size or --img-size needs less memory"
                                          : "";
}

}  // namespace

Failure::~Failure() = default;

std::string words_of(const std::filesystem::filesystem_error& error) {
  return str(error.path1().string(), ": ", error.code().message());
}

int report_error(const std::exception& error, const std::string& program) {
  const auto* const of_files = dynamic_cast<const std::filesystem::filesystem_error*>(&error);
  const std::string message = of_files != nullptr ? words_of(*of_files) : error.what();
  std::cerr << program << ": error: " << printable_lines(message) << '\n';
  const std::string hint = hint_of(error);
  if (!hint.empty() && message.find(hint_mark) == std::string::npos) {
    std::cerr << hint_mark.substr(1) << printable(hint) << '\n';
  }
  return code_of(error);
}

}  // namespace burin::apps
