#include "burin/apps/training/augmentation.h"

#include <sstream>

namespace burin::apps {

Augmentation::Augmentation(const std::string& list, const char* option) {
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ',');) {
    if (name == "flip") {
      flip = true;
    } else if (name == "crop") {
      crop = true;
    } else if (name == "square") {
      square = true;
    } else if (name == "shift") {
      shift = true;
    } else if (name == "jitter") {
      jitter = true;
    } else {
      check(name == "none", option, ": '", name,
            "' is none of flip, crop, square, shift, jitter, none");
    }
  }
  check(crop + square + shift <= 1, option, ": crop, square and shift exclude each other");
}

data::TrainingOptions training_options(const Augmentation& aug,
                                       const models::Preprocess& preprocess, bool small_and_equal) {
  data::TrainingOptions options;
  options.size = preprocess.crop;
  using Crop = data::TrainingOptions::Crop;
  if (aug.crop) {
    options.crop = small_and_equal ? Crop::padded : Crop::resized;
  } else if (aug.shift) {
    options.crop = Crop::shifted;
  } else {
    options.crop = aug.square && !small_and_equal ? Crop::square : Crop::none;
  }
  options.flip_probability = aug.flip ? 0.5 : 0;
  if (aug.jitter) options.jitter = {.brightness = 0.2, .contrast = 0.2, .saturation = 0.2};
  options.filter = preprocess.bicubic ? data::Filter::bicubic : data::Filter::bilinear;
  options.otherwise = {preprocess.resize, preprocess.crop, options.filter};
  return options;
}

}  // namespace burin::apps
