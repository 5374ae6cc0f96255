#include "burin/apps/metrics_report.h"

#include <algorithm>

#include "burin/apps/table.h"

namespace burin::apps {
namespace {

double auc_of(const Evaluation& evaluation, const data::Dataset& dataset, int64_t label) {
  std::vector<double> scores;
  std::vector<bool> is_label;
  for (int64_t i = 0; i < evaluation.confusion.total(); ++i) {
    scores.push_back(evaluation.probability(i, label));
    is_label.push_back(dataset.label(i) == label);
  }
  return roc_auc(scores, is_label);
}

double calibration_error(const Evaluation& evaluation, const data::Dataset& dataset) {
  std::vector<double> confidence;
  std::vector<bool> correct;
  for (int64_t i = 0; i < evaluation.confusion.total(); ++i) {
    const int64_t predicted = evaluation.predictions[static_cast<size_t>(i)];
    confidence.push_back(evaluation.probability(i, predicted));
    correct.push_back(dataset.label(i) == predicted);
  }
  return expected_calibration_error(confidence, correct);
}

Json scores_json(const ClassScores& scores) {
  Json json = Json::object();
  json.set("precision", Json::of(scores.precision, 6));
  json.set("recall", Json::of(scores.recall, 6));
  json.set("f1", Json::of(scores.f1, 6));
  json.set("support", Json::of(scores.support));
  return json;
}

void add_row(Table& table, const std::string& name, const ClassScores& scores) {
  table.add({name, fixed(scores.precision, 4), fixed(scores.recall, 4), fixed(scores.f1, 4),
             std::to_string(scores.support)});
}

}  // namespace

Json metrics_json(const Evaluation& evaluation, const data::Dataset& dataset) {
  const std::vector<std::string>& classes = dataset.classes();
  const ConfusionMatrix& confusion = evaluation.confusion;
  Json per_class = Json::object();
  Json matrix = Json::array();
  for (int64_t c = 0; c < confusion.classes(); ++c) {
    Json scores = scores_json(confusion.scores(c));
    scores.set("auc", Json::of(auc_of(evaluation, dataset, c), 6));
    per_class.set(classes[static_cast<size_t>(c)], std::move(scores));
    Json row = Json::array();
    for (int64_t p = 0; p < confusion.classes(); ++p) row.push(Json::of(confusion.count(c, p)));
    matrix.push(std::move(row));
  }
  Json json = Json::object();
  json.set("images", Json::of(confusion.total()));
  json.set("loss", Json::of(evaluation.loss, 6));
  json.set("accuracy", Json::of(confusion.accuracy(), 6));
  json.set("macro", scores_json(confusion.macro()));
  json.set("weighted", scores_json(confusion.weighted()));
  json.set("calibration_error", Json::of(calibration_error(evaluation, dataset), 6));
  json.set("classes", std::move(per_class));
  json.set("labels", Json::of(classes));
  json.set("confusion", std::move(matrix));  // [actual][predicted], in the order of labels
  return json;
}

void print_metrics(std::ostream& out, const Evaluation& evaluation, const data::Dataset& dataset) {
  const std::vector<std::string>& classes = dataset.classes();
  constexpr int64_t classes_shown = 20;  // a wider matrix does not fit a screen
  const ConfusionMatrix& confusion = evaluation.confusion;
  Table scores({"class", ">precision", ">recall", ">f1", ">support"});
  for (int64_t c = 0; c < confusion.classes(); ++c) {
    add_row(scores, classes[static_cast<size_t>(c)], confusion.scores(c));
  }
  add_row(scores, "macro average", confusion.macro());
  add_row(scores, "weighted average", confusion.weighted());
  scores.print(out);

  if (confusion.classes() <= classes_shown) {
    std::vector<std::string> headings = {"actual \\ predicted"};
    for (const std::string& name : classes) headings.push_back(">" + name);
    Table matrix(headings);
    for (int64_t c = 0; c < confusion.classes(); ++c) {
      std::vector<std::string> row = {classes[static_cast<size_t>(c)]};
      for (int64_t p = 0; p < confusion.classes(); ++p) {
        row.push_back(std::to_string(confusion.count(c, p)));
      }
      matrix.add(std::move(row));
    }
    out << '\n';
    matrix.print(out);
  }
  const auto right =
      static_cast<int64_t>(static_cast<double>(confusion.total()) * confusion.accuracy() + 0.5);
  out << "\naccuracy " << fixed(confusion.accuracy(), 4) << " (" << right << " of "
      << confusion.total() << ")  loss " << fixed(evaluation.loss, 4) << "  calibration error "
      << fixed(calibration_error(evaluation, dataset), 4) << "  "
      << fixed(evaluation.images_per_second, 1) << " img/s\n";
}

}  // namespace burin::apps
