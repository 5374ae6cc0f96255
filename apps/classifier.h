#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "burin/apps/model_options.h"
#include "burin/apps/training/input.h"
#include "burin/apps/training/test_time.h"
#include "burin/data/decode.h"
#include "burin/models/gradcam.h"

namespace burin::apps {

/// An image to be classified: a file, or bytes that are already here.
struct InputImage {
  std::string name;
  std::optional<std::vector<uint8_t>> bytes;  // else read from the file `name`
};

struct Prediction {
  std::string name;
  std::string error;                   // why there is no prediction; empty if there is one
  std::optional<data::Defect> defect;  // of the image, likewise
  std::vector<float> probabilities;    // by class
  int64_t width = 0, height = 0;       // of the image as decoded
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
  /// Merges the batch norms into the convolutions. Every image draws the same views of `tta`: what
  /// is seen in it does not depend on the images beside it.
  explicit Classifier(LoadedModel loaded, TestTimeAugmentation tta = {});

  const std::vector<std::string>& classes() const { return loaded_.card.classes; }
  const std::string& path() const { return loaded_.path; }
  Device device() const { return loaded_.device; }

  /// Decodes the images on all threads and runs them as one batch. An image that can't be decoded
  /// gets an error of its own. Throws OutOfMemory.
  std::vector<Prediction> classify(const std::vector<InputImage>& images) const;

  /// The two halves of classify. Bytes of an image that is ready for the model: the plain image,
  /// then its augmented views.
  size_t input_bytes() const;
  /// Room for so many images. Throws OutOfMemory, which says how large the model's images are.
  std::vector<uint8_t> room_for(size_t images) const;
  /// Decodes one image into `pixels` (input_bytes() of them), or says in the prediction why not.
  /// May be called from several threads at once. Throws OutOfMemory.
  Prediction prepare(const InputImage& image, std::span<uint8_t> pixels) const;
  /// Runs images that are ready, one after the other in `pixels`, and completes their predictions.
  /// From one thread, always the same: plans and packed weights belong to it.
  void run(std::vector<uint8_t> pixels, const std::vector<Prediction*>& predictions) const;
  /// Where the model looked in one image that is ready. From the thread of run.
  models::GradCam explain(std::vector<uint8_t> pixels, const models::GradCamOptions& options) const;
  /// An image that is ready, to look at.
  data::Image image_of(const std::vector<uint8_t>& pixels) const;
  const models::Preprocess& preprocess() const { return loaded_.model().preprocess; }

 private:
  size_t inputs_per_image() const { return 1 + static_cast<size_t>(tta_.views); }
  size_t plain_bytes() const;
  data::Batch batch_of(std::vector<uint8_t> pixels, size_t count) const;

  LoadedModel loaded_;
  TestTimeAugmentation tta_;
  data::Transform transform_;
  InputMaker input_;
};

}  // namespace burin::apps
