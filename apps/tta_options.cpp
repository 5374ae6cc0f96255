#include "burin/apps/tta_options.h"

#include "burin/apps/exit.h"
#include "burin/apps/training/augmentation.h"

namespace burin::apps {

void add_tta_options(Command& command, TtaOptions& options) {
  command.heading("Test-time augmentation");
  command.add("--tta", &options.mirror, "average over each image and its mirror image");
  command.add(
      "--tta-views", &options.views,
      "fastai's instead: the mean of so many augmented views, and a quarter of the plain one",
      between(0, 1000));
  command.add("--tta-aug", &options.aug,
              "what the views draw, as train's --aug; auto: as the model was trained");
  command.add("--seed", &options.seed, "of the views");
}

TestTimeAugmentation test_time_augmentation(const TtaOptions& options, const LoadedModel& loaded) {
  if (options.views == 0 && options.aug != "auto") {
    throw Failure(exit_usage, "--tta-aug: there are no views to draw it for", "add --tta-views 4");
  }
  if (options.views == 0) return {.mirror = options.mirror};
  if (options.mirror) throw Failure(exit_usage, "--tta and --tta-views exclude each other");
  const std::string list = options.aug == "auto" ? loaded.card.aug : options.aug;
  if (list.empty()) {
    throw Failure(exit_usage, loaded.path + ": the file does not say how its images were augmented",
                  "--tta-aug flip,crop");
  }
  const Augmentation aug =
      failing_with(exit_usage, [&] { return Augmentation(list, "--tta-aug"); });
  if (!aug.any()) {
    throw Failure(exit_usage, "--tta-views: without augmentation all views are the plain one",
                  "--tta-aug flip,crop");
  }
  const models::Preprocess& preprocess = loaded.model().preprocess;
  const bool never_resized = preprocess.resize == 0;
  return {.views = options.views,
          .view = data::training_transform(training_options(aug, preprocess, never_resized)),
          .seed = options.seed};
}

std::string describe(const TtaOptions& options, const LoadedModel& loaded) {
  if (options.views == 0) return options.mirror ? "mirror image" : "none";
  return str(options.views, " views, ", options.aug == "auto" ? loaded.card.aug : options.aug);
}

}  // namespace burin::apps
