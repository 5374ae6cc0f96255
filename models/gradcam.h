#pragma once

#include <string>
#include <vector>

#include "burin/models/model.h"

namespace burin::models {

struct GradCamOptions {
  std::string layer = {};  // a name that the model taps; empty: chosen, see grad_cam
  int64_t target = -1;     // the class to explain; −1: of each image the one predicted
};

/// Where a model looked to see a class in one image.
struct GradCam {
  std::string layer;  // whose activation this is
  int64_t target = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<float> map;            // [height, width], 0 to 1
  std::vector<float> probabilities;  // [classes], of the same forward pass

  /// The map stretched over an image: bilinear between pixel centres, then 0 to 1 again.
  std::vector<float> stretched(int64_t image_height, int64_t image_width) const;
};

/// Grad-CAM of every image in x [N, 3, H, W]:
///
///   map = ReLU(Σ_c w_c · A_c),  w_c = mean over space of d logit[target] / d A_c,
///   then (map − min) / (1e−7 + max)
///
/// A is the activation of the last tapped layer that still has a height and a width: the last stage
/// of a convolutional network. Of a vision transformer it is the last block's norm1 (behind it only
/// the class token reaches the head), its class token dropped and the others laid out as they were
/// cut from the image. The model must be in evaluation mode, its parameters must not want
/// gradients; batch norms may be folded. Throws Error for a layer that is not tapped or has no
/// space, and for a class that is not there.
///
/// Selvaraju et al. 2017, arXiv:1610.02391. Agrees with jacobgil/pytorch-grad-cam.
std::vector<GradCam> grad_cam(Model& model, const Tensor& x, const GradCamOptions& options = {});

}  // namespace burin::models
