#pragma once

#include <ostream>

#include "burin/apps/json.h"
#include "burin/apps/report/analysis.h"

namespace burin::apps {

/// Everything the metrics say: per class, averages, AUC (one against the rest), calibration,
/// confidence, the confusion matrix. The analysis is that of the evaluation.
Json metrics_json(const Evaluation& evaluation, const data::Dataset& dataset,
                  const Analysis& analysis);

/// The same as tables for people; the confusion matrix up to 20 classes.
void print_metrics(std::ostream& out, const Evaluation& evaluation, const data::Dataset& dataset,
                   const Analysis& analysis);

}  // namespace burin::apps
