#pragma once

#include <optional>
#include <string>
#include <vector>

#include "burin/apps/model_options.h"
#include "burin/apps/training/input.h"

namespace burin::apps {

/// An image to be classified: a file, or bytes that are already here.
struct InputImage {
  std::string name;
  std::optional<std::vector<uint8_t>> bytes;  // else read from the file `name`
};

struct Prediction {
  std::string name;
  std::string error;                 // why there is no prediction; empty if there is one
  std::vector<float> probabilities;  // by class
  int64_t width = 0, height = 0;     // of the image as decoded
  double decode_ms = 0;
  double preprocess_ms = 0;
  double forward_ms = 0;  // its share of the batch

  double milliseconds() const { return decode_ms + preprocess_ms + forward_ms; }
  /// Classes by falling probability; equal ones in their own order.
  std::vector<size_t> ranking() const;
};

/// A model prepared for inference.
class Classifier {
 public:
  /// Merges the batch norms into the convolutions.
  explicit Classifier(LoadedModel loaded);

  const std::vector<std::string>& classes() const { return loaded_.card.classes; }
  const std::string& path() const { return loaded_.path; }

  /// Decodes the images on all threads and runs them as one batch. An image that can't be decoded
  /// gets an error of its own.
  std::vector<Prediction> classify(const std::vector<InputImage>& images) const;

 private:
  void run_batch(const data::Batch& batch, const std::vector<Prediction*>& decoded) const;

  LoadedModel loaded_;
  data::Transform transform_;
  InputMaker input_;
};

}  // namespace burin::apps
