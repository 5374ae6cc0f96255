#include "burin/apps/prediction_report.h"

#include <algorithm>

#include "burin/apps/csv.h"
#include "burin/apps/printable.h"
#include "burin/apps/table.h"

namespace burin::apps {
namespace {

std::string padded(const std::string& text, int columns) {
  return text + std::string(static_cast<size_t>(std::max(0, columns - columns_of(text))), ' ');
}

}  // namespace

Json prediction_json(const Prediction& prediction, const std::vector<std::string>& classes,
                     size_t topk) {
  const std::vector<size_t> order = prediction.ranking();
  Json probabilities = Json::object();
  for (size_t k = 0; k < topk; ++k) {
    probabilities.set(classes[order[k]],
                      Json::of(static_cast<double>(prediction.probabilities[order[k]]), 6));
  }
  Json ms = Json::object();
  ms.set("decode", Json::of(prediction.decode_ms, 2));
  ms.set("preprocess", Json::of(prediction.preprocess_ms, 2));
  ms.set("forward", Json::of(prediction.forward_ms, 2));
  Json result = Json::object();
  result.set("file", Json::of(prediction.name)).set("label", Json::of(classes[order[0]]));
  result.set("probabilities", std::move(probabilities));
  result.set("width", Json::of(prediction.width)).set("height", Json::of(prediction.height));
  result.set("ms", std::move(ms));
  return result;
}

PredictionReport::PredictionReport(std::ostream& out, const std::string& format,
                                   const Classifier& classifier,
                                   const std::vector<InputImage>& images, int topk)
    : out_(out),
      format_(format),
      classifier_(classifier),
      topk_(std::min(static_cast<size_t>(topk), classifier.classes().size())) {
  for (const InputImage& image : images) {
    name_columns_ = std::max(name_columns_, columns_of(printable(image.name)));
  }
  for (const std::string& name : classifier.classes()) {
    class_columns_ = std::max(class_columns_, columns_of(printable(name)));
  }
  if (format_ != "csv") return;
  out_ << "file,label,probability";
  for (size_t k = 2; k <= topk_; ++k) out_ << ",label" << k << ",probability" << k;
  out_ << ",error\n";
}

void PredictionReport::add(const Prediction& prediction) {
  milliseconds_ += prediction.milliseconds();
  if (format_ == "json") {
    add_json(prediction);
  } else if (format_ == "csv") {
    add_csv(prediction);
  } else if (prediction.error.empty()) {
    add_text(prediction);
  }
}

void PredictionReport::add_text(const Prediction& prediction) {
  const std::vector<size_t> order = prediction.ranking();
  std::string others;
  for (size_t k = 1; k < topk_; ++k) {
    others += (k == 1 ? "" : ", ") + printable(class_name(order[k])) + ' ' +
              fixed(static_cast<double>(prediction.probabilities[order[k]]), 3);
  }
  out_ << padded(printable(prediction.name), name_columns_) << "  "
       << padded(printable(class_name(order[0])), class_columns_) << "  "
       << fixed(static_cast<double>(prediction.probabilities[order[0]]), 3)
       << (others.empty() ? "" : "   (" + others + ")") << "   "
       << fixed(prediction.milliseconds(), 1) << " ms" << std::endl;
}

void PredictionReport::add_csv(const Prediction& prediction) {
  out_ << csv_field(prediction.name);
  const std::vector<size_t> order = prediction.ranking();
  for (size_t k = 0; k < topk_; ++k) {
    if (order.empty()) {
      out_ << ",,";
    } else {
      out_ << ',' << csv_field(class_name(order[k])) << ','
           << fixed(static_cast<double>(prediction.probabilities[order[k]]), 6);
    }
  }
  out_ << ',' << csv_field(prediction.error) << std::endl;
}

void PredictionReport::add_json(const Prediction& prediction) {
  if (prediction.error.empty()) {
    results_.push(prediction_json(prediction, classifier_.classes(), topk_));
    return;
  }
  Json result = Json::object();
  result.set("file", Json::of(prediction.name)).set("error", Json::of(prediction.error));
  results_.push(std::move(result));
}

void PredictionReport::finish() {
  if (format_ != "json") return;
  Json document = Json::object();
  document.set("model", Json::of(classifier_.path()));
  document.set("results", std::move(results_));
  document.set("ms_total", Json::of(milliseconds_, 2));
  out_ << document.text(2) << std::endl;
}

}  // namespace burin::apps
