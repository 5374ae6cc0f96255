#pragma once

#include <optional>
#include <string_view>

#include "burin/apps/training/trainer.h"

namespace burin::apps {

/// An epoch from its numbers in the order of results.csv, with or without a last one that says
/// whether it was the best; nothing from anything else. A loss may be inf or nan.
std::optional<EpochResult> read_epoch(std::string_view line, char separator);

}  // namespace burin::apps
