#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace burin {

/// The one exception of the library: a rule that was broken, in words, with the values that broke
/// it. The library never aborts, exits or prints; what it can't do it says by throwing this.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  ~Error() override;  // out of line: one typeinfo for the library and its plug-ins
};

/// No memory for the request: the message says how much was asked and held. A smaller batch may go
/// on.
class OutOfMemory : public Error {
 public:
  using Error::Error;
  ~OutOfMemory() override;
};

/// Concatenates the parts as operator<< writes them (g++ 12 has no <format>).
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// The names with commas between them: the first `most`, and … where there are more.
template <class Names>
std::string listed(const Names& names, size_t most = static_cast<size_t>(-1)) {
  std::ostringstream out;
  size_t count = 0;
  for (const auto& name : names) {
    if (count == most) {
      out << ", …";
      break;
    }
    out << (count++ == 0 ? "" : ", ") << name;
  }
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(str(parts...));
}

/// Throws Error made of `parts` unless `condition` holds. The parts are formatted only on failure.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]] {
    fail(parts...);
  }
}

/// The caller's place in the source, as a default argument (clang 14 has no std::source_location).
struct Where {
  const char* file;
  int line;
  static constexpr Where current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace burin
