#include "burin/apps/table.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
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
  for (std::string heading : headings) {
    opens_.push_back(heading.starts_with('|'));
    if (opens_.back()) heading.erase(0, 1);
    right_.push_back(heading.starts_with('>'));
    if (right_.back()) heading.erase(0, 1);
    row.push_back(std::move(heading));
  }
  add(row);
}

void Table::add(const std::vector<std::string>& cells) {
  rows_.emplace_back();
  for (const std::string& cell : cells) rows_.back().push_back(printable(cell));
}

std::vector<int> Table::widths() const {
  std::vector<int> widths(right_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  return widths;
}

void Table::print_columns(std::ostream& out, const std::vector<size_t>& columns) const {
  const std::vector<int> wide = widths();
  for (const auto& row : rows_) {
    std::string line;
    for (const size_t i : columns) {
      if (i >= row.size()) continue;
      const std::string padding(static_cast<size_t>(wide[i] - columns_of(row[i])), ' ');
      line += (i == 0 ? "" : "  ") + (right_[i] ? padding + row[i] : row[i] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

void Table::print(std::ostream& out) const {
  std::vector<size_t> all(right_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  print_columns(out, all);
}

void Table::print(std::ostream& out, int most) const {
  const std::vector<int> wide = widths();
  std::vector<size_t> block = {0};
  int width = wide[0];
  for (size_t begin = 1, end = 0; begin < wide.size(); begin = end) {
    int more = 0;  // of the columns that stay together
    for (end = begin; end < wide.size() && (end == begin || !opens_[end]); ++end) {
      more += 2 + wide[end];
    }
    if (block.size() > 1 && width + more > most) {
      print_columns(out, block);
      out << '\n';
      block = {0};
      width = wide[0];
    }
    for (size_t i = begin; i < end; ++i) block.push_back(i);
    width += more;
  }
  print_columns(out, block);
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
