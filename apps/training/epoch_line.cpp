#include "burin/apps/training/epoch_line.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace burin::apps {
namespace {

/// Not by a stream: that writes infinities and NaN and does not read them.
std::optional<std::vector<double>> numbers_of(std::string_view line, char separator) {
  std::vector<double> numbers;
  for (size_t begin = 0; begin < line.size();) {
    const size_t end = std::min(line.find(separator, begin), line.size());
    double value = 0;
    const auto [rest, error] = std::from_chars(line.data() + begin, line.data() + end, value);
    if (error != std::errc() || rest != line.data() + end) return std::nullopt;
    numbers.push_back(value);
    begin = end + 1;
  }
  return numbers;
}

}  // namespace

std::optional<EpochResult> read_epoch(std::string_view line, char separator) {
  const std::optional<std::vector<double>> numbers = numbers_of(line, separator);
  const bool complete = numbers && (numbers->size() == 10 || numbers->size() == 11);
  constexpr double most_epochs = 1e9;
  if (!complete || !(numbers->front() >= 1 && numbers->front() <= most_epochs)) return std::nullopt;
  const std::vector<double>& n = *numbers;
  return EpochResult{.epoch = static_cast<int64_t>(n[0]),
                     .seconds = n[1],
                     .train_loss = n[2],
                     .val_loss = n[3],
                     .accuracy = n[4],
                     .precision = n[5],
                     .recall = n[6],
                     .f1 = n[7],
                     .learning_rate = n[8],
                     .images_per_second = n[9],
                     .best = n.size() == 11 && n[10] != 0};
}

}  // namespace burin::apps
