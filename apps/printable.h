#pragma once

#include <string>
#include <string_view>

namespace burin::apps {

/// `text` as a person may see it on a terminal: control characters, those that turn the direction
/// of writing, and bytes that are no UTF-8 stand there as \n, \t, \r or \x1b. A file's name may
/// hold anything, also what would move the cursor, set colours, end a line, or show jpg.exe as
/// exe.jpg.
std::string printable(std::string_view text);

/// Likewise, but line ends stay: for messages of several lines.
std::string printable_lines(std::string_view text);

}  // namespace burin::apps
