#include "burin/apps/printable.h"

#include <algorithm>
#include <array>

namespace burin::apps {
namespace {

unsigned byte_of(char c) {
  return static_cast<unsigned char>(c);
}

/// How many bytes the first character of `text` has; 0 if it is no UTF-8.
size_t bytes_of_first(std::string_view text) {
  const unsigned first = byte_of(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (text.size() < bytes) return 0;
  char32_t code = first & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte_of(text[i]) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte_of(text[i]) & 0x3F);
  }
  constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};  // else it is overlong
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return code < smallest[bytes] || surrogate || code > 0x10FFFF ? 0 : bytes;
}

/// Whether a terminal takes a character as a command: C0 and DEL, and C1 (U+0080 to U+009F).
bool is_control(std::string_view character) {
  const unsigned first = byte_of(character[0]);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && byte_of(character[1]) < 0xA0);
}

/// Whether it changes the order in which others are shown, so that a name looks like another:
/// Unicode's property Bidi_Control (Unicode Standard Annex 9).
bool is_reordering(std::string_view character) {
  constexpr std::array<std::string_view, 12> all = {"\u061C", "\u200E", "\u200F", "\u202A",
                                                    "\u202B", "\u202C", "\u202D", "\u202E",
                                                    "\u2066", "\u2067", "\u2068", "\u2069"};
  return std::find(all.begin(), all.end(), character) != all.end();
}

std::string escaped(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    default:
      return {'\\', 'x', digits[byte_of(c) / 16], digits[byte_of(c) % 16]};
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t bytes = bytes_of_first(text);
    const std::string_view character = text.substr(0, bytes == 0 ? 1 : bytes);
    if (bytes > 0 && !is_control(character) && !is_reordering(character)) {
      result += character;
    } else {
      for (const char c : character) result += escaped(c);
    }
    text.remove_prefix(character.size());
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string result;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    result += printable(text.substr(0, end)) + '\n';
    text.remove_prefix(end + 1);
  }
  return result + printable(text);
}

}  // namespace burin::apps
