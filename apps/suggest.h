#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace burin::apps {

/// Letters to insert, delete, replace or swap with their neighbour to make b of a.
int edit_distance(std::string_view a, std::string_view b);

/// " (did you mean …?)" with the nearest of `known`, or nothing if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// A word as a shell wants it to be typed: in quotes where it needs them.
std::string shell_word(const std::string& word);

}  // namespace burin::apps
