#pragma once

#include <memory>
#include <string>
#include <vector>

#include "burin/apps/charts/charts.h"
#include "burin/apps/training/evaluation.h"
#include "burin/data/dataset.h"

namespace burin::apps {

/// How many images of one class were taken for another.
struct ErrorFlow {
  int64_t actual = 0;
  int64_t predicted = 0;
  int64_t count = 0;
  double share = 0;  // of the class's images
};

/// A measure of the pictures themselves, over those answered right and those answered wrong.
struct PictureTrait {
  std::string name;
  double right = 0;
  double wrong = 0;
  double difference = 0;  // (wrong − right) / standard deviation over all
};

/// What follows from an evaluation beyond its confusion matrix.
struct Analysis {
  std::vector<double> auc;  // by class, one against the rest; NaN where a side is empty
  std::vector<double> average_precision;  // by class
  double calibration_error = 0;           // ECE, 15 bins
  double brier = 0;  // mean squared distance of the probabilities from the truth
  std::vector<charts::ReliabilityChart::Bin> reliability;
  std::vector<int64_t> by_loss;  // all samples, largest loss first
  std::vector<int64_t> wrong;    // most confident first
  std::vector<int64_t> right;    // most confident first
  std::vector<ErrorFlow> flows;  // most first
  double confidence_right = 0;   // mean
  double confidence_wrong = 0;
  int64_t sure_and_wrong = 0;  // wrong with a confidence of at least 0.9
  std::vector<PictureTrait> traits;
  std::vector<double> widths, heights;  // of the images looked at
};

/// Decodes at most 1,000 of the images, spread evenly, for what it says of the pictures.
Analysis analyse(const Evaluation& evaluation, const data::Dataset& dataset);

double confidence(const Evaluation& evaluation, int64_t sample);

/// Points (false positive rate, true positive rate) for telling `label` from the rest, from (0, 0)
/// to (1, 1), one for each distinct score.
std::vector<charts::Point> roc_curve(const Evaluation& evaluation, const data::Dataset& dataset,
                                     int64_t label);

/// Sentences about the errors: how many, which way they go, how sure the model was, what sets their
/// pictures apart.
std::vector<std::string> error_summary(const Analysis& analysis, const Evaluation& evaluation,
                                       const data::Dataset& dataset);

}  // namespace burin::apps
