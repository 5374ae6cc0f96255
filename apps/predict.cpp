#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "burin/apps/classifier.h"
#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/input_images.h"
#include "burin/apps/overlay.h"
#include "burin/apps/prediction_report.h"
#include "burin/apps/printable.h"
#include "burin/apps/progress.h"
#include "burin/apps/stop.h"
#include "burin/apps/tta_options.h"

namespace burin::apps {
namespace {

struct PredictOptions {
  ModelOptions model;
  std::vector<std::string> paths;
  int topk = 2;
  int batch_size = 16;
  std::string format = "text";
  std::string gradcam;
  TtaOptions tta;
};

/// Writes the overlays of images that could be predicted.
void write_overlays(OverlayWriter& writer, const Classifier& classifier,
                    const std::vector<InputImage>& images, const std::vector<bool>& predicted) {
  constexpr double alpha = 0.45;
  for (size_t i = 0; i < images.size() && !stop_requested(); ++i) {
    Prediction prediction;
    if (!predicted[i]) continue;
    if (const auto explanation = explain(classifier, images[i], {}, alpha, prediction)) {
      const auto target = static_cast<size_t>(explanation->cam.target);
      writer.write(images[i].name, classifier.classes()[target], explanation->overlay);
    }
  }
}

int run_predict(const PredictOptions& options, const Session& session) {
  if (options.paths.empty()) {
    throw Failure(exit_usage, "no image given", "burin predict -m MODEL photo.jpg folder/ -");
  }
  const std::vector<InputImage> images = find_images(options.paths);
  LoadedModel loaded = load_model(options.model, session);
  const TestTimeAugmentation tta = test_time_augmentation(options.tta, loaded);
  const Classifier classifier(std::move(loaded), tta);
  std::optional<OverlayWriter> overlays;
  if (!options.gradcam.empty()) overlays.emplace(options.gradcam);
  catch_interrupts();

  PredictionReport report(std::cout, options.format, classifier, images, options.topk);
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = "predict", .total = static_cast<int64_t>(images.size())};
  std::vector<bool> predicted;
  for (size_t begin = 0; begin < images.size() && !stop_requested();) {
    const size_t end = std::min(begin + static_cast<size_t>(options.batch_size), images.size());
    const std::vector<InputImage> some(images.begin() + static_cast<std::ptrdiff_t>(begin),
                                       images.begin() + static_cast<std::ptrdiff_t>(end));
    for (const Prediction& prediction : classifier.classify(some)) {
      progress.clear();
      report.add(prediction);
      predicted.push_back(prediction.error.empty());
      if (!predicted.back()) {
        std::cerr << "burin predict: error: " << printable_lines(prediction.error) << '\n';
      }
    }
    begin = end;
    state.done = state.items = static_cast<int64_t>(end);
    if (end < images.size()) progress.update(state);
  }
  progress.clear();
  report.finish();
  if (stop_requested()) return exit_interrupted;
  if (overlays) write_overlays(*overlays, classifier, images, predicted);
  const bool all = std::find(predicted.begin(), predicted.end(), false) == predicted.end();
  return all ? exit_ok : exit_bad_input;
}

}  // namespace

Command predict_command() {
  const auto options = std::make_shared<PredictOptions>();
  Command command("predict", "Results", "what a model sees in images");
  command.details =
      "burin predict -m runs/train/exp photo.jpg folder/\n"
      "find . -name '*.jpg' | burin predict -m runs/train/exp --format json - | jq .\n"
      "burin predict -m runs/train/exp - <photo.jpg";
  command.heading("Images");
  command.add("paths", &options->paths, "files, folders, or - for stdin: an image, or paths");
  add_model_options(command, options->model);
  command.heading("Results");
  command.add("--topk", &options->topk, "how many classes to show", at_least(1));
  command.add("--format", &options->format, "of the output", one_of({"text", "json", "csv"}));
  command.add("-b,--batch-size", &options->batch_size, "images at once", at_least(1));
  command.add("--gradcam", &options->gradcam, "write heat maps over the images to this folder");
  add_tta_options(command, options->tta);
  command.run = [options](const Session& session) { return run_predict(*options, session); };
  return command;
}

}  // namespace burin::apps
