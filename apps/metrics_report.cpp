#include "burin/apps/metrics_report.h"

#include <algorithm>
#include <cmath>

#include "burin/apps/report/analysis.h"
#include "burin/apps/table.h"

namespace burin::apps {
namespace {

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

Json metrics_json(const Evaluation& evaluation, const data::Dataset& dataset,
                  const Analysis& analysis) {
  const std::vector<std::string>& classes = dataset.classes();
  const ConfusionMatrix& confusion = evaluation.confusion;
  Json per_class = Json::object();
  Json matrix = Json::array();
  for (int64_t c = 0; c < confusion.classes(); ++c) {
    Json scores = scores_json(confusion.scores(c));
    scores.set("auc", Json::of(analysis.auc[static_cast<size_t>(c)], 6));
    scores.set("average_precision",
               Json::of(analysis.average_precision[static_cast<size_t>(c)], 6));
    per_class.set(classes[static_cast<size_t>(c)], std::move(scores));
    Json row = Json::array();
    for (int64_t p = 0; p < confusion.classes(); ++p) row.push(Json::of(confusion.count(c, p)));
    matrix.push(std::move(row));
  }
  Json json = Json::object();
  json.set("images", Json::of(confusion.total()));
  json.set("loss", Json::of(evaluation.loss, 6));
  json.set("accuracy", Json::of(confusion.accuracy(), 6));
  json.set("error_rate", Json::of(1 - confusion.accuracy(), 6));
  json.set("macro", scores_json(confusion.macro()));
  json.set("weighted", scores_json(confusion.weighted()));
  json.set("calibration_error", Json::of(analysis.calibration_error, 6));
  json.set("brier_score", Json::of(analysis.brier, 6));
  json.set("confidence_right", Json::of(analysis.confidence_right, 6));
  json.set("confidence_wrong", Json::of(analysis.confidence_wrong, 6));
  json.set("wrong_with_confidence_of_90_percent", Json::of(analysis.sure_and_wrong));
  json.set("classes", std::move(per_class));
  json.set("labels", Json::of(classes));
  json.set("confusion", std::move(matrix));  // [actual][predicted], in the order of labels
  return json;
}

void print_metrics(std::ostream& out, const Evaluation& evaluation, const data::Dataset& dataset,
                   const Analysis& analysis) {
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
      matrix.add(row);
    }
    out << '\n';
    matrix.print(out);
  }
  const int64_t right = std::lround(static_cast<double>(confusion.total()) * confusion.accuracy());
  out << "\naccuracy " << fixed(confusion.accuracy(), 4) << " (" << right << " of "
      << confusion.total() << ")  loss " << fixed(evaluation.loss, 4) << "  calibration error "
      << fixed(analysis.calibration_error, 4) << "  " << fixed(evaluation.images_per_second, 1)
      << " img/s\n";
}

}  // namespace burin::apps
