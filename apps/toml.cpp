#include "burin/apps/toml.h"

#include <cctype>
#include <charconv>
#include <cstdint>

#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

bool is_bare(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' ||
         c == '+';
}

std::string utf8_of(uint32_t code) {
  const auto byte = [code](uint32_t mark, int shift, uint32_t mask) {
    return static_cast<char>(mark | (code >> shift & mask));
  };
  if (code < 0x80) return {byte(0, 0, 0x7F)};
  if (code < 0x800) return {byte(0xC0, 6, 0x1F), byte(0x80, 0, 0x3F)};
  if (code < 0x10000) return {byte(0xE0, 12, 0x0F), byte(0x80, 6, 0x3F), byte(0x80, 0, 0x3F)};
  return {byte(0xF0, 18, 0x07), byte(0x80, 12, 0x3F), byte(0x80, 6, 0x3F), byte(0x80, 0, 0x3F)};
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  std::vector<TomlEntry> parse() {
    std::vector<TomlEntry> entries;
    std::string section;
    for (skip_blank(); !at_end(); skip_blank()) {
      if (take('[')) {
        section = bare("a section's name");
        expect(']');
      } else {
        TomlEntry entry;
        entry.line = line_;
        entry.section = section;
        entry.key = peek() == '"' || peek() == '\'' ? string() : bare("a key");
        expect('=');
        read_values(entry);
        entries.push_back(std::move(entry));
      }
      end_of_line();
    }
    return entries;
  }

 private:
  bool at_end() const { return place_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[place_]; }
  [[noreturn]] void wrong(std::string_view wanted) const {
    fail(file_, ":", line_, ": expected ", wanted,
         at_end()         ? std::string(", the file ends")
         : peek() == '\0' ? std::string(", found a byte of value 0")
         : peek() == '\n' ? std::string(", the line ends")
                          : str(", found '", peek(), "'"));
  }

  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\r') ++place_;
    if (peek() == '#') {
      while (!at_end() && peek() != '\n') ++place_;
    }
  }
  /// Over spaces, comments and line ends.
  void skip_blank() {
    for (skip_spaces(); peek() == '\n'; skip_spaces()) {
      ++place_;
      ++line_;
    }
  }
  bool take(char c) {
    skip_spaces();
    if (peek() != c) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) wrong(str("'", c, "'"));
  }
  void end_of_line() {
    skip_spaces();
    if (!at_end() && peek() != '\n') wrong("the end of the line");
  }

  std::string bare(std::string_view what) {
    skip_spaces();
    const size_t begin = place_;
    while (is_bare(peek())) ++place_;
    if (place_ == begin) wrong(what);
    return std::string(text_.substr(begin, place_ - begin));
  }

  std::string string() {
    const char quote = text_[place_++];
    std::string result;
    while (peek() != quote) {
      if (peek() == '\0' || peek() == '\n') wrong(str("a closing ", quote));
      if (quote == '"' && peek() == '\\') {
        ++place_;
        result += escaped();
      } else {
        result += text_[place_++];
      }
    }
    ++place_;
    return result;
  }
  std::string escaped() {
    constexpr std::string_view letters = "\"\\ntrbf", meant = "\"\\\n\t\r\b\f";
    if (peek() == 'u') return character(4);
    if (peek() == 'U') return character(8);
    const size_t which = at_end() ? std::string_view::npos : letters.find(peek());
    if (which == std::string_view::npos) {
      wrong("one of \\\" \\\\ \\n \\t \\r \\b \\f \\uXXXX \\UXXXXXXXX");
    }
    ++place_;
    return std::string(1, meant[which]);
  }
  /// The character of a code of `digits` hexadecimal digits, in UTF-8.
  std::string character(size_t digits) {
    const std::string_view hex = text_.substr(++place_, digits);
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    const bool is_whole = error == std::errc() && hex.size() == digits && end == hex.end();
    // No option holds a zero byte: it would end a path before its end.
    if (!is_whole || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      wrong("the code of a character");
    }
    place_ += digits;
    return utf8_of(code);
  }

  std::string value() {
    skip_spaces();
    return peek() == '"' || peek() == '\'' ? string() : bare("a value");
  }
  void read_values(TomlEntry& entry) {
    entry.array = take('[');
    if (!entry.array) {
      entry.values.push_back(value());
      return;
    }
    skip_blank();
    while (!take(']')) {
      entry.values.push_back(value());
      skip_blank();
      if (!take(',') && peek() != ']') wrong("',' or ']'");
      skip_blank();
    }
  }

  std::string_view text_;
  std::string_view file_;
  size_t place_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<TomlEntry> parse_toml(std::string_view text, std::string_view file) {
  return Parser(text, file).parse();
}

std::string toml_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += {'\\', 'u', '0', '0', digits[byte / 16], digits[byte % 16]};
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace burin::apps
