#include "burin/apps/overlay.h"

#include <algorithm>
#include <cmath>

#include "burin/apps/image_file.h"
#include "burin/apps/output.h"

namespace burin::apps {
namespace {

/// As much of a name as leaves room for another and a number in the 255 bytes of a file's name.
std::string beginning(const std::string& name) {
  constexpr size_t most = 110;
  if (name.size() <= most) return name;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // whole letters
  return name.substr(0, end);
}

}  // namespace

std::array<double, 3> jet(double heat) {
  const auto ramp = [&](double middle) {
    return std::clamp(1.5 - std::abs(4 * heat - middle), 0.0, 1.0);
  };
  return {ramp(3), ramp(2), ramp(1)};
}

data::Image blend_heat(const data::Image& image, const std::vector<float>& heat, double alpha) {
  check(heat.size() * 3 == image.pixels.size(), "blend_heat: ", heat.size(), " values for ",
        image.pixels.size() / 3, " pixels");
  std::vector<double> blended(image.pixels.size());
  double largest = 0;
  for (size_t p = 0; p < heat.size(); ++p) {
    // OpenCV's colour map has 256 entries.
    const std::array<double, 3> color = jet(std::floor(255 * static_cast<double>(heat[p])) / 255);
    for (size_t c = 0; c < 3; ++c) {
      double& value = blended[3 * p + c];
      value = alpha * color[c] + (1 - alpha) * image.pixels[3 * p + c] / 255;
      largest = std::max(largest, value);
    }
  }
  data::Image result(image.width, image.height);
  for (size_t i = 0; i < blended.size(); ++i) {
    result.pixels[i] = static_cast<uint8_t>(255 * blended[i] / std::max(largest, 1e-7));
  }
  return result;
}

std::optional<Explanation> explain(const Classifier& classifier, const InputImage& image,
                                   const models::GradCamOptions& options, double alpha,
                                   Prediction& prediction) {
  std::vector<uint8_t> pixels(classifier.input_bytes());
  prediction = classifier.prepare(image, pixels);
  if (!prediction.error.empty()) return std::nullopt;
  const data::Image seen = classifier.image_of(pixels);
  models::GradCam cam = classifier.explain(std::move(pixels), options);
  data::Image overlay = blend_heat(seen, cam.stretched(seen.height, seen.width), alpha);
  return Explanation{std::move(cam), std::move(overlay)};
}

OverlayWriter::OverlayWriter(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  expect_writable((folder_ / "overlay.png").string());
}

std::string OverlayWriter::write(const std::string& image_name, const std::string& class_name,
                                 const data::Image& overlay) {
  const std::string stem =
      beginning(std::filesystem::path(image_name).stem().string()) + '_' + beginning(class_name);
  std::string name = stem;
  for (int number = 2; !written_.insert(name).second; ++number) name = str(stem, '_', number);
  std::string path = (folder_ / (name + ".png")).string();
  write_image(path, overlay);
  return path;
}

}  // namespace burin::apps
