#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "burin/apps/classifier.h"
#include "burin/apps/json.h"

namespace burin::apps {

/// A prediction without an error, with the `topk` most probable of `classes`:
/// {"file", "label", "probabilities", "width", "height", "ms": {"decode", "preprocess", "forward"}}
Json prediction_json(const Prediction& prediction, const std::vector<std::string>& classes,
                     size_t topk);

/// Predictions as text or CSV, a line as soon as it is known, or as one JSON document at the end.
class PredictionReport {
 public:
  PredictionReport(std::ostream& out, const std::string& format, const Classifier& classifier,
                   const std::vector<InputImage>& images, int topk);

  void add(const Prediction& prediction);
  void finish();

 private:
  void add_text(const Prediction& prediction);
  void add_csv(const Prediction& prediction);
  void add_json(const Prediction& prediction);
  const std::string& class_name(size_t label) const { return classifier_.classes()[label]; }

  std::ostream& out_;
  std::string format_;
  const Classifier& classifier_;
  size_t topk_;
  int name_columns_ = 0;
  int class_columns_ = 0;
  double milliseconds_ = 0;
  Json results_ = Json::array();
};

}  // namespace burin::apps
