#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace burin::apps {

/// One `key = value` of a TOML file.
struct TomlEntry {
  std::string section;  // "train" under [train]; empty at the top
  std::string key;
  std::vector<std::string> values;  // one, or those of an array; strings without their quotes
  bool array = false;
  int line = 0;
};

/// Reads the part of TOML that a config file of options needs: comments, [sections], strings in
/// either quotes, numbers, booleans, and arrays of these over one or more lines. Throws Error with
/// file and line for everything else.
std::vector<TomlEntry> parse_toml(std::string_view text, std::string_view file);

/// `text` in quotes, escaped.
std::string toml_string(std::string_view text);

}  // namespace burin::apps
