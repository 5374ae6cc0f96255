#pragma once

#include <memory>
#include <string>
#include <vector>

#include "burin/apps/train_options.h"
#include "burin/data/dataset.h"

namespace burin::apps {

/// What a run trains and validates on.
struct TrainingData {
  std::shared_ptr<const data::Dataset> train;
  std::shared_ptr<const data::Dataset> val;
  std::vector<std::string> classes;
  // idx or CIFAR: every image has the same small size, nothing to resize
  bool small_and_equal = false;
  std::vector<std::string> notes;  // for the user
};

/// Opens what the options name: class folders, class folders in train/val/test, or a folder of idx
/// files. Without a validation part, `val_frac` of the training images become one (fastai's split).
/// Throws Error with a hint where something is missing, a class has fewer than two images, or there
/// is one class only.
TrainingData open_training_data(const TrainOptions& options);

/// The part to look at where `asked` is "auto": what was held back from training first.
std::string evaluation_part(const std::string& asked, const std::string& directory);

/// Opens one part ("train", "val" or "test") to be evaluated, or "all" there is. `classes` gives
/// the order of the labels, which is the model's. Throws Error where there is no such part.
std::shared_ptr<const data::Dataset> open_evaluation_data(const std::string& directory,
                                                          const std::string& part,
                                                          const std::vector<std::string>& classes);

/// A hash of the samples' names and labels, to notice that a run is resumed on other data.
uint64_t fingerprint(const data::Dataset& dataset);

}  // namespace burin::apps
