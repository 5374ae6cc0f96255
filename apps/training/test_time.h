#pragma once

#include <span>
#include <vector>

#include "burin/data/transforms.h"
#include "burin/models/model.h"

namespace burin::apps {

/// Test-time augmentation: several looks at an image, averaged. One of two kinds, or neither.
struct TestTimeAugmentation {
  bool mirror = false;  // forward_with_mirror

  // fastai's Learner.tta(n=views, beta=plain_share); view v of a sample draws from
  // SampleRandom(seed, v, sample).
  int64_t views = 0;
  data::Transform view = {};
  uint64_t seed = 42;
  double plain_share = 0.25;
};

/// Log-probabilities of images [N, 3, H, W], averaged over each image and its mirror image.
Tensor forward_with_mirror(models::Model& model, const Tensor& x);

/// torch.lerp(mean of the views, plain, plain_share): probabilities of the same images.
std::vector<float> blend_views(const std::vector<std::span<const float>>& views,
                               std::span<const float> plain, double plain_share);

}  // namespace burin::apps
