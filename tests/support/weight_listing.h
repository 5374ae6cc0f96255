#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "burin/tensor/files/sha256.h"
#include "burin/tensor/files/weight_entry.h"
#include "support/test_data.h"

namespace burin::testing_support {

/// The elements of an entry in logical order as the file has them, by the plainest loop.
inline std::string raw_elements(const WeightEntry& entry) {
  const size_t size = size_of(entry.type);
  std::string out;
  for (int64_t i = 0; i < numel(entry.shape); ++i) {
    int64_t rest = i;
    int64_t at = entry.offset;
    for (int axis = entry.shape.rank() - 1; axis >= 0; --axis) {
      at += rest % entry.shape[axis] * entry.strides[axis];
      rest /= entry.shape[axis];
    }
    out += as_text(entry.storage.subspan(static_cast<size_t>(at) * size, size));
  }
  return out;
}

/// The lines that read_weights.py prints.
inline std::vector<std::string> listing_lines(const std::vector<WeightEntry>& entries) {
  std::vector<std::string> lines;
  for (const WeightEntry& entry : entries) {
    lines.push_back(str(entry.group, '\t', entry.name, '\t', entry.type, '\t', entry.shape, '\t',
                        sha256(as_bytes(raw_elements(entry)))));
  }
  return lines;
}

/// What read_weights.py says of a file, or nothing where Python or torch is missing.
inline std::optional<std::vector<std::string>> python_lines(const std::string& kind,
                                                            const std::string& path) {
  const std::string script = (source_folder() / "tests/support/read_weights.py").string();
  const std::string command = "/usr/bin/python3 '" + script + "' " + kind + " '" + path + "' 2>&1";
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (const size_t count = fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, count);
  const int status = pclose(pipe);
  const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (exit_code == 77 || exit_code == 127) return std::nullopt;
  check(exit_code == 0, "read_weights.py: ", text);

  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace burin::testing_support
