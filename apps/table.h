#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace burin::apps {

/// Columns an UTF-8 text takes on a screen, a code point counted as one.
int columns_of(const std::string& text);

/// `text` in lines of at most `width` columns, each behind the margin and without a line end after
/// the last. A word that is longer has a line to itself.
std::string wrapped(const std::string& text, int width, const std::string& margin = "");

/// Text in columns, as wide as their widest cell, two spaces apart; cells are made printable.
class Table {
 public:
  /// A heading that begins with '>' makes its column right-aligned; a '|' before that lets a block
  /// begin there.
  explicit Table(const std::vector<std::string>& headings);

  void add(const std::vector<std::string>& cells);
  bool empty() const { return rows_.size() == 1; }
  void print(std::ostream& out) const;
  /// Likewise, in blocks below each other where it is wider than `most` columns. Each block begins
  /// with the first column.
  void print(std::ostream& out, int most) const;

 private:
  std::vector<int> widths() const;
  void print_columns(std::ostream& out, const std::vector<size_t>& columns) const;

  std::vector<bool> right_, opens_;
  std::vector<std::vector<std::string>> rows_;
};

/// `value` with that many decimals.
std::string fixed(double value, int decimals);
/// Likewise as 1.83e-03.
std::string scientific(double value, int decimals);

}  // namespace burin::apps
