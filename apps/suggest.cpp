#include "burin/apps/suggest.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>

namespace burin::apps {

int edit_distance(std::string_view a, std::string_view b) {
  // One row of the table at a time: row[j] is the distance of a's first i letters to b's first j.
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
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
  if (!word.empty() && std::none_of(word.begin(), word.end(), needs_quotes)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace burin::apps
