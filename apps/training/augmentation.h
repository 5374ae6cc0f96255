#pragma once

#include <string>

#include "burin/data/transforms.h"
#include "burin/models/model.h"

namespace burin::apps {

/// What --aug names.
struct Augmentation {
  bool flip = false;
  bool crop = false;
  bool square = false;
  bool shift = false;
  bool jitter = false;

  /// Reads the comma list that `option` was given. Throws Error for an unknown name, and for crops
  /// that exclude each other.
  explicit Augmentation(const std::string& list, const char* option = "--aug");
  bool any() const { return flip || crop || square || shift || jitter; }
  /// Whether an image has two versions at most: itself and its mirror image.
  bool only_flips() const { return !crop && !square && !shift && !jitter; }
};

/// The training transform of a model's images. `small_and_equal`: images of one size that nobody
/// resizes, where a crop pads instead.
data::TrainingOptions training_options(const Augmentation& aug,
                                       const models::Preprocess& preprocess, bool small_and_equal);

}  // namespace burin::apps
