#include "burin/apps/table.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "burin/apps/printable.h"

namespace burin::apps {

int columns_of(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string wrapped(const std::string& text, int width, const std::string& margin) {
  std::istringstream in(text);
  std::string lines = margin;
  int columns = 0;  // of the last line, behind the margin
  for (std::string word; in >> word;) {
    const int more = columns_of(word);
    const bool fits = columns_of(margin) + columns + 1 + more <= width;
    if (columns > 0) lines += fits ? " " : "\n" + margin;
    columns = more + (columns > 0 && fits ? columns + 1 : 0);
    lines += word;
  }
  return lines;
}

Table::Table(const std::vector<std::string>& headings) {
  std::vector<std::string> row;
  for (const std::string& heading : headings) {
    const bool right = heading.starts_with('>');
    right_.push_back(right);
    row.push_back(right ? heading.substr(1) : heading);
  }
  add(row);
}

void Table::add(const std::vector<std::string>& cells) {
  rows_.emplace_back();
  for (const std::string& cell : cells) rows_.back().push_back(printable(cell));
}

void Table::print(std::ostream& out) const {
  std::vector<int> widths(right_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(static_cast<size_t>(widths[i] - columns_of(row[i])), ' ');
      line += (i == 0 ? "" : "  ") + (right_[i] ? padding + row[i] : row[i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

std::string fixed(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", decimals, value);
  return buffer;
}

std::string scientific(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*e", decimals, value);
  return buffer;
}

}  // namespace burin::apps
