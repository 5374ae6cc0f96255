#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "burin/apps/classifier.h"
#include "burin/models/gradcam.h"

namespace burin::apps {

/// Where a model looked, and a picture of it.
struct Explanation {
  models::GradCam cam;
  data::Image overlay;  // as large as the network's input
};

/// The colour of heat 0 … 1 in OpenCV's JET, which such pictures are drawn with everywhere.
std::array<double, 3> jet(double heat);

/// alpha · jet(heat) + (1 − alpha) · image, divided by its largest value, as pytorch-grad-cam
/// blends. `heat` has a value for each pixel.
data::Image blend_heat(const data::Image& image, const std::vector<float>& heat, double alpha);

/// Runs `image` through the model and paints where it looked over what it saw. `prediction` is set
/// as Classifier::prepare does; nothing is returned for an image that can't be decoded.
std::optional<Explanation> explain(const Classifier& classifier, const InputImage& image,
                                   const models::GradCamOptions& options, double alpha,
                                   Prediction& prediction);

/// Writes overlays into a folder under the images' names, "face_ai.png", made unique.
class OverlayWriter {
 public:
  /// Makes the folder.
  explicit OverlayWriter(std::filesystem::path folder);
  /// Returns the path.
  std::string write(const std::string& image_name, const std::string& class_name,
                    const data::Image& overlay);

 private:
  std::filesystem::path folder_;
  std::set<std::string> written_;
};

}  // namespace burin::apps
