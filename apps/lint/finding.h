#pragma once

#include <string>
#include <vector>

#include "burin/apps/exit.h"
#include "burin/apps/train_options.h"
#include "burin/apps/training/trainer.h"
#include "burin/data/dataset.h"
#include "burin/models/model.h"

namespace burin::apps {

/// Something that looks wrong, or is.
struct Finding {
  enum class Level : uint8_t { fatal, warning, note };
  Level level = Level::warning;
  std::string title;        // "softmax before cross-entropy"
  std::string explanation;  // a paragraph: what was seen, why it matters, what to do
};
using Findings = std::vector<Finding>;

/// The options of a training run, before it begins. `classes` 0: not known yet.
Findings lint_options(const TrainOptions& options, int64_t classes);

/// How a run's losses went, with how many classes.
Findings lint_epochs(const std::vector<EpochResult>& epochs, int64_t classes);

/// A model with its classes' names: outputs, weights that are no numbers, statistics never learnt,
/// normalisation.
Findings lint_model(models::Model& model, const std::vector<std::string>& classes);

/// Whether a data set lies in image files, which lint_data can look into.
bool has_image_files(const std::string& directory);

/// A data set on disk: pictures in two parts or two classes, classes that are tiny, uneven or given
/// away by the files' size and format. Decodes every image.
Findings lint_data(const std::string& directory);

/// Files of `val` whose bytes are also in `train`, told by size before any is read: cheap enough
/// for the beginning of every run. Fatal where they are at least a twentieth of `val`. Samples that
/// are no files of their own are passed over.
Findings lint_leaks(const data::Dataset& train, const data::Dataset& val);

/// The smallest mean cross-entropy that a softmax over `outputs` leaves when another softmax stands
/// before it: ln(e + outputs − 1) − 1.
double lowest_loss_after_softmax(int64_t outputs);

/// Throws Failure with `code` and the explanations of all that is fatal.
void refuse_fatal(const Findings& findings, ExitCode code);

}  // namespace burin::apps
