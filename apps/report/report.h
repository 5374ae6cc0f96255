#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "burin/apps/report/analysis.h"
#include "burin/apps/report/contact_sheet.h"
#include "burin/apps/training/trainer.h"

namespace burin::apps {

/// Accuracy with every image changed in one way.
struct CorruptionResult {
  std::string name;
  double accuracy = 0;
};

/// How many images of each class a part of the data has.
struct PartCounts {
  std::string part = {};  // "training"
  std::vector<int64_t> counts;
};

/// Everything a report is made of. What is empty is left out.
struct ReportData {
  std::string title = {};  // "runs/train/exp"
  std::string part = {};   // what was evaluated: "validation", "test"
  std::vector<std::pair<std::string, std::string>> facts = {};  // model, data, date, …
  std::vector<EpochResult> epochs = {};                         // of a training run
  std::vector<std::pair<double, double>> learning_rates = {};   // of that run: (epoch, rate)
  const Evaluation* evaluation = nullptr;
  const data::Dataset* dataset = nullptr;  // what was evaluated
  int64_t positive = 0;                    // the class that ROC and the headline are about
  size_t top_losses = 9;
  std::vector<PartCounts> parts = {};
  std::vector<CorruptionResult> corruption = {};
  std::vector<Tile> train_batch = {};  // as the network saw it
};

/// Writes into `folder`, which exists: report.html, a single file that needs no other and no
/// network; the charts as PNG and SVG; top_losses, confusion_matrix and predictions as CSV; sheets
/// of images.
/// The analysis is that of data's evaluation.
void write_report(const std::filesystem::path& folder, const ReportData& data,
                  const Analysis& analysis);

/// The page alone.
std::string report_page(const ReportData& data, const Analysis& analysis);

/// "data:image/jpeg;base64,…" of a small copy, for a page.
std::string thumbnail_uri(const data::Image& image, int64_t side);

}  // namespace burin::apps
