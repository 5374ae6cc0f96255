#include "burin/apps/report/pictures.h"

#include <algorithm>

#include "burin/apps/table.h"

namespace burin::apps {
namespace {

using charts::Series;

Series over_epochs(const std::string& name, const std::vector<EpochResult>& epochs,
                   double EpochResult::*value) {
  Series series{.name = name, .points = {}};
  for (const EpochResult& e : epochs) {
    series.points.push_back({static_cast<double>(e.epoch), e.*value});
  }
  return series;
}

charts::LineChart epoch_chart(const std::string& title, const std::string& y_name) {
  charts::LineChart chart{.title = title, .x_name = "epoch", .y_name = y_name, .series = {}};
  chart.whole_x = true;
  chart.width = 520;  // two stand beside each other in the report, and one on a phone
  chart.height = 340;
  return chart;
}

/// The last epoch that was the best so far: its weights are the ones that were kept.
const EpochResult* best_of(const std::vector<EpochResult>& epochs) {
  const EpochResult* best = nullptr;
  for (const EpochResult& e : epochs) {
    if (e.best) best = &e;
  }
  return best;
}

charts::Drawing roc_picture(const ReportData& data, const Analysis& analysis) {
  constexpr int64_t most_curves = 6;
  charts::LineChart chart{.title = "ROC curve",
                          .x_name = "false positive rate",
                          .y_name = "true positive rate",
                          .series = {}};
  chart.diagonal = true;
  chart.width = chart.height = 440;
  const int64_t classes = data.evaluation->confusion.classes();
  for (int64_t c = 0; c < std::min(classes, most_curves); ++c) {
    if (classes == 2 && c != data.positive) continue;  // the other one is its mirror image
    const auto at = static_cast<size_t>(c);
    chart.series.push_back(
        {.name = data.dataset->classes()[at] + " (AUC " + fixed(analysis.auc[at], 3) + ")",
         .points = roc_curve(*data.evaluation, *data.dataset, c)});
  }
  if (chart.series.size() == 1) chart.title += ": " + chart.series.front().name;
  return draw(chart);
}

charts::MatrixChart matrix(const ReportData& data, bool normalised) {
  const ConfusionMatrix& confusion = data.evaluation->confusion;
  charts::MatrixChart chart{
      .title = normalised ? "Shares of each actual class" : "Confusion matrix",
      .labels = data.dataset->classes(),
      .counts = {},
      .normalised = normalised};
  for (int64_t a = 0; a < confusion.classes(); ++a) {
    chart.counts.emplace_back();
    for (int64_t p = 0; p < confusion.classes(); ++p) {
      chart.counts.back().push_back(static_cast<double>(confusion.count(a, p)));
    }
  }
  return chart;
}

}  // namespace

std::vector<Picture> training_pictures(const ReportData& data) {
  const std::vector<EpochResult>& epochs = data.epochs;
  if (epochs.empty()) return {};
  charts::LineChart loss = epoch_chart("Loss", "cross-entropy");
  loss.series = {over_epochs("training", epochs, &EpochResult::train_loss),
                 over_epochs("validation", epochs, &EpochResult::val_loss)};
  charts::LineChart metrics = epoch_chart("Validation metrics", "share");
  metrics.series = {over_epochs("accuracy", epochs, &EpochResult::accuracy),
                    over_epochs("precision (macro)", epochs, &EpochResult::precision),
                    over_epochs("recall (macro)", epochs, &EpochResult::recall),
                    over_epochs("F1 (macro)", epochs, &EpochResult::f1)};
  metrics.shares = true;
  if (const EpochResult* const best = best_of(epochs)) {
    const auto epoch = static_cast<double>(best->epoch);
    loss.marks = {{{epoch, best->val_loss}, str("kept: epoch ", best->epoch)}};
    metrics.marks = {{{epoch, best->accuracy}, str("kept: epoch ", best->epoch)}};
  }
  charts::LineChart rate = epoch_chart("Learning rate", "learning rate");
  rate.series = {{.name = "learning rate", .points = {}}};
  for (const auto& [epoch, value] : data.learning_rates) {
    // It may have stopped early.
    const bool was_reached = epoch <= static_cast<double>(epochs.back().epoch);
    if (was_reached) rate.series.front().points.push_back({epoch, value});
  }
  return {{"loss_plot", draw(loss)}, {"results", draw(metrics)}, {"lr", draw(rate)}};
}

std::vector<Picture> evaluation_pictures(const ReportData& data, const Analysis& analysis) {
  return {
      {"confusion_matrix", draw(matrix(data, false))},
      {"confusion_matrix_normalized", draw(matrix(data, true))},
      {"roc", roc_picture(data, analysis)},
      {"calibration", draw(charts::ReliabilityChart{
                          .title = "Calibration (ECE " + fixed(analysis.calibration_error, 3) + ")",
                          .bins = analysis.reliability})}};
}

std::vector<Picture> data_pictures(const ReportData& data, const Analysis& analysis) {
  std::vector<Picture> pictures;
  constexpr size_t most_bars = 40;
  charts::BarChart counts{.title = "Images of each class", .value_name = "images", .bars = {}};
  for (size_t p = 0; p < data.parts.size(); ++p) {
    for (size_t c = 0; c < data.parts[p].counts.size() && counts.bars.size() < most_bars; ++c) {
      const int64_t count = data.parts[p].counts[c];
      counts.bars.push_back({data.parts[p].part + ": " + data.dataset->classes()[c],
                             static_cast<double>(count), charts::series_ink(p), str(count)});
    }
  }
  if (!counts.bars.empty()) pictures.push_back({"class_counts", draw(counts)});
  const auto [low, high] = std::minmax_element(analysis.widths.begin(), analysis.widths.end());
  if (!analysis.widths.empty() && *low < *high) {
    pictures.push_back({"image_widths", draw(charts::Histogram{.title = "Widths of the images",
                                                               .x_name = "pixels",
                                                               .y_name = "images",
                                                               .values = analysis.widths})});
  }
  charts::BarChart corruption{
      .title = "Accuracy under corruption", .value_name = "accuracy", .bars = {}, .high = 1};
  for (const CorruptionResult& result : data.corruption) {
    corruption.bars.push_back({result.name, result.accuracy,
                               corruption.bars.empty() ? charts::Ink::green : charts::Ink::blue,
                               fixed(result.accuracy, 4)});
  }
  if (!corruption.bars.empty()) pictures.push_back({"corruption", draw(corruption)});
  return pictures;
}

std::vector<Tile> sample_tiles(const ReportData& data, const std::vector<int64_t>& samples) {
  const std::vector<std::string>& classes = data.dataset->classes();
  std::vector<Tile> tiles;
  for (const int64_t i : samples) {
    const auto at = static_cast<size_t>(i);
    const int64_t predicted = data.evaluation->predictions[at], actual = data.dataset->label(i);
    const std::string answer =
        classes[static_cast<size_t>(predicted)] + ' ' + fixed(confidence(*data.evaluation, i), 3);
    const bool right = predicted == actual;
    const std::string truth = right ? "right" : "is " + classes[static_cast<size_t>(actual)];
    tiles.push_back(
        {*data.dataset->load(i),
         {{answer, right ? charts::Ink::green : charts::Ink::red},
          {truth + ", loss " + fixed(data.evaluation->sample_loss[at], 3), charts::Ink::muted}}});
  }
  return tiles;
}

}  // namespace burin::apps
