#include <algorithm>
#include <iostream>
#include <memory>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/input_images.h"
#include "burin/apps/overlay.h"
#include "burin/apps/printable.h"
#include "burin/apps/stop.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"

namespace burin::apps {
namespace {

struct GradcamOptions {
  ModelOptions model;
  std::vector<std::string> paths;
  std::string layer;
  std::string target;
  std::string out = "runs/gradcam";
  double alpha = 0.45;
};

int64_t class_of(const std::string& target, const std::vector<std::string>& classes) {
  if (target.empty()) return -1;
  const auto found = std::find(classes.begin(), classes.end(), target);
  if (found == classes.end()) {
    throw Failure(exit_usage,
                  str("--target: there is no class '", target, "'", did_you_mean(target, classes)));
  }
  return found - classes.begin();
}

int run_gradcam(const GradcamOptions& options, const Session& session) {
  if (options.paths.empty()) {
    throw Failure(exit_usage, "no image given", "burin gradcam -m MODEL photo.jpg folder/");
  }
  const std::vector<InputImage> images = find_images(options.paths);
  const Classifier classifier(load_model(options.model, session));
  const std::vector<std::string>& classes = classifier.classes();
  const int64_t target = class_of(options.target, classes);
  OverlayWriter writer(options.out);
  catch_interrupts();
  int failed = 0;
  for (const InputImage& image : images) {
    if (stop_requested()) return exit_interrupted;
    Prediction prediction;
    const std::optional<Explanation> explanation = explain(
        classifier, image, {.layer = options.layer, .target = target}, options.alpha, prediction);
    if (!explanation) {
      ++failed;
      std::cerr << "burin gradcam: error: " << printable_lines(prediction.error) << '\n';
      continue;
    }
    const models::GradCam& cam = explanation->cam;
    const auto shown = static_cast<size_t>(cam.target);
    std::cout << printable(image.name) << "  " << printable(classes[shown]) << "  "
              << fixed(static_cast<double>(cam.probabilities[shown]), 3) << "  " << cam.layer << ' '
              << cam.height << 'x' << cam.width << "  → "
              << printable(writer.write(image.name, classes[shown], explanation->overlay))
              << std::endl;
  }
  return failed == 0 ? exit_ok : exit_bad_input;
}

}  // namespace

Command gradcam_command() {
  const auto options = std::make_shared<GradcamOptions>();
  Command command("gradcam", "Results", "where a model looks: heat maps over images");
  command.details =
      "burin gradcam -m runs/train/exp photo.jpg folder/\n"
      "burin gradcam -m runs/train/exp photo.jpg --target real --layer layer3";
  command.heading("Images");
  command.add("paths", &options->paths, "files, folders, or - for stdin: an image, or paths");
  add_model_options(command, options->model);
  command.heading("Results");
  command.add("--layer", &options->layer, "whose activation; chosen where none is named");
  command.add("--target", &options->target, "the class to explain; else the one predicted");
  command.add("--out", &options->out, "folder of the overlays");
  command.add("--alpha", &options->alpha, "how strong the heat map is", between(0, 1));
  command.run = [options](const Session& session) {
    return failing_with(exit_bad_input, [&] { return run_gradcam(*options, session); });
  };
  return command;
}

}  // namespace burin::apps
