#pragma once

#include "burin/apps/report/report.h"

namespace burin::apps {

/// The charts of a report, by the name of their file.
struct Picture {
  std::string file;  // "loss_plot", without extension
  charts::Drawing drawing;
};

/// Loss, metrics and learning rate over the epochs; nothing without epochs.
std::vector<Picture> training_pictures(const ReportData& data);
/// Confusion matrix, ROC, calibration.
std::vector<Picture> evaluation_pictures(const ReportData& data, const Analysis& analysis);
/// Class counts, image sizes, accuracy under corruption.
std::vector<Picture> data_pictures(const ReportData& data, const Analysis& analysis);

/// Samples with what the model made of them: "ai 0.97" in green or red, "is real", the loss.
std::vector<Tile> sample_tiles(const ReportData& data, const std::vector<int64_t>& samples);

}  // namespace burin::apps
