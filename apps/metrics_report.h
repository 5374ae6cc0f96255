#pragma once

#include <ostream>

#include "burin/apps/json.h"
#include "burin/apps/training/evaluation.h"

namespace burin::apps {

/// Everything the metrics say: per class, averages, AUC (one against the rest), calibration error,
/// the confusion matrix.
Json metrics_json(const Evaluation& evaluation, const data::Dataset& dataset);

/// The same as tables for people; the confusion matrix up to 20 classes.
void print_metrics(std::ostream& out, const Evaluation& evaluation, const data::Dataset& dataset);

}  // namespace burin::apps
