#include "burin/apps/suggest.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>

#include "burin/apps/printable.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {

int edit_distance(std::string_view a, std::string_view b) {
  // table[i][j] is the distance of a's first i letters to b's first j.
  std::vector<std::vector<int>> table(a.size() + 1, std::vector<int>(b.size() + 1));
  std::iota(table[0].begin(), table[0].end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    table[i][0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      table[i][j] = std::min({replaced, table[i - 1][j] + 1, table[i][j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table.back().back();
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  // A third of the letters may be wrong; beyond that the guess would be noise.
  int best = std::max(1, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& candidate : known) {
    const int distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest == nullptr ? "" : " (did you mean " + *nearest + "?)";
}

std::string shell_word(const std::string& word) {
  const auto needs_quotes = [](unsigned char c) {
    return c < 128 && std::isalnum(c) == 0 && std::strchr("/._-,:+=@%", c) == nullptr;
  };
  if (printable(word) != word) {  // bash and zsh read the escapes back
    std::string escaped;
    for (const char c : word) escaped += c == '\'' || c == '\\' ? str('\\', c) : str(c);
    return "$'" + printable(escaped) + "'";
  }
  if (!word.empty() && std::none_of(word.begin(), word.end(), needs_quotes)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace burin::apps
