#pragma once

#include <string>

#include "burin/apps/progress.h"

namespace burin::apps {

/// What --weights means for a model: a file; the folder of a run, whose best weights are taken;
/// "imagenet", the published weights, looked for in the caches and else downloaded; "none"; or
/// nothing, which takes the published ones if they are here. Returns a path or "none"; says what
/// was decided.
std::string resolve_weights(const std::string& given, const std::string& model, Progress& progress);

}  // namespace burin::apps
