// What a report leaves beside its page.
#include <algorithm>

#include "burin/apps/charts/raster.h"
#include "burin/apps/charts/svg.h"
#include "burin/apps/csv.h"
#include "burin/apps/image_file.h"
#include "burin/apps/report/pictures.h"
#include "burin/apps/report/report.h"
#include "burin/apps/table.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

void write_pictures(const fs::path& folder, const std::vector<Picture>& pictures) {
  for (const Picture& picture : pictures) {
    const std::string path = (folder / picture.file).string();
    write_file(path + ".svg", svg_file(picture.drawing));
    write_image(path + ".png", charts::rasterised(picture.drawing));
  }
}

std::string matrix_csv(const ReportData& data) {
  const std::vector<std::string>& classes = data.dataset->classes();
  std::string text = "actual \\ predicted";
  for (const std::string& name : classes) text += ',' + csv_field(name);
  for (size_t a = 0; a < classes.size(); ++a) {
    text += '\n' + csv_field(classes[a]);
    for (size_t p = 0; p < classes.size(); ++p) {
      text += str(
          ',', data.evaluation->confusion.count(static_cast<int64_t>(a), static_cast<int64_t>(p)));
    }
  }
  return text + '\n';
}

std::string samples_csv(const ReportData& data, const std::vector<int64_t>& samples) {
  const std::vector<std::string>& classes = data.dataset->classes();
  constexpr size_t most_columns = 100;  // of more classes only the answer's probability is told
  const size_t columns = classes.size() <= most_columns ? classes.size() : 0;
  std::string text = "file,actual,predicted,probability,loss";
  for (size_t c = 0; c < columns; ++c) text += ',' + csv_field("p(" + classes[c] + ")");
  text += '\n';
  for (const int64_t i : samples) {
    const auto predicted =
        static_cast<size_t>(data.evaluation->predictions[static_cast<size_t>(i)]);
    text += csv_field(data.dataset->name(i)) + ',' +
            csv_field(classes[static_cast<size_t>(data.dataset->label(i))]) + ',' +
            csv_field(classes[predicted]) + ',' + fixed(confidence(*data.evaluation, i), 6) + ',' +
            fixed(data.evaluation->sample_loss[static_cast<size_t>(i)], 6);
    for (size_t c = 0; c < columns; ++c) {
      text += ',' + fixed(data.evaluation->probability(i, static_cast<int64_t>(c)), 6);
    }
    text += '\n';
  }
  return text;
}

void write_sheets(const fs::path& folder, const ReportData& data, const Analysis& analysis) {
  const auto first = [](const std::vector<int64_t>& all, size_t count) {
    return std::vector<int64_t>(
        all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size())));
  };
  const std::vector<int64_t> top = first(analysis.by_loss, data.top_losses);
  write_image((folder / "top_losses.png").string(), contact_sheet(sample_tiles(data, top)));
  write_file((folder / "top_losses.csv").string(), samples_csv(data, top));
  if (!data.train_batch.empty()) {
    write_image((folder / "train_batch0.jpg").string(), contact_sheet(data.train_batch));
  }
  // Spread over the data, which is sorted by class.
  constexpr int64_t shown = 16;
  std::vector<int64_t> batch;
  const int64_t N = data.dataset->size();
  for (int64_t k = 0; k < std::min(N, shown); ++k) batch.push_back(k * N / std::min(N, shown));
  write_image((folder / "val_batch0_pred.jpg").string(), contact_sheet(sample_tiles(data, batch)));
}

}  // namespace

void write_report(const fs::path& folder, const ReportData& data, const Analysis& analysis) {
  write_pictures(folder, training_pictures(data));
  write_pictures(folder, evaluation_pictures(data, analysis));
  write_pictures(folder, data_pictures(data, analysis));
  write_sheets(folder, data, analysis);
  write_file((folder / "confusion_matrix.csv").string(), matrix_csv(data));
  write_file((folder / "predictions.csv").string(), samples_csv(data, analysis.by_loss));
  write_file((folder / "report.html").string(), report_page(data, analysis));
}

}  // namespace burin::apps
