#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "burin/data/color_jitter.h"
#include "burin/data/image.h"
#include "burin/data/random.h"
#include "burin/data/resize.h"

namespace burin::data {

/// How a decoded image becomes a network's input: every result is width × height. May be called
/// from several threads at once.
struct Transform {
  int64_t width = 0;
  int64_t height = 0;
  std::function<Image(const Image&, SampleRandom&)> apply;
};

/// torchvision's Resize(short_side) on a PIL image: the short side becomes `short_side`, the long
/// one int(short_side · long / short).
Window resized_size(int64_t width, int64_t height, int64_t short_side);

/// torchvision's CenterCrop: left = round((width − size) / 2), ties to even; an image that is too
/// small is padded with black, floor(half) of it before.
Window center_crop(int64_t width, int64_t height, int64_t size);

/// fastai's Resize(size, method="crop"): the largest square, at fractions (x, y) of the room it
/// has; (0.5, 0.5) on the validation set, uniform in training.
Window fastai_crop(int64_t width, int64_t height, double x, double y);

/// torchvision's RandomResizedCrop.get_params: ten tries of an area in `scale` · image and of an
/// aspect ratio, log-uniform; then the largest centred crop of an allowed ratio.
struct RandomResizedCrop {
  double min_scale = 0.08;
  double max_scale = 1.0;
  double min_ratio = 3.0 / 4.0;
  double max_ratio = 4.0 / 3.0;

  Window window(int64_t width, int64_t height, SampleRandom& random) const;
};

struct EvaluationOptions {
  int64_t resize = 256;  // short side; 0: no resize
  int64_t crop = 224;    // centre crop
  Filter filter = Filter::bilinear;

  /// torchvision's presets: Resize(resize), CenterCrop(crop).
  static EvaluationOptions torchvision(int64_t crop = 224, int64_t resize = 256) {
    return {resize, crop, Filter::bilinear};
  }
  /// timm's: Resize(floor(crop / crop_pct)), CenterCrop(crop).
  static EvaluationOptions timm(int64_t crop, double crop_pct, Filter filter = Filter::bicubic);
};

/// Resize and centre crop in one: only the pixels of the crop are computed.
Transform evaluation_transform(const EvaluationOptions& options);
/// fastai's validation transform: centred largest square, resized.
Transform fastai_transform(int64_t size, Filter filter = Filter::bilinear);

struct TrainingOptions {
  enum class Crop : uint8_t {
    none,     // the evaluation transform
    resized,  // RandomResizedCrop
    padded,   // torchvision's RandomCrop(size, padding): for small images such as CIFAR's
    square,   // fastai's Resize(size): the largest square, at a random place
    shifted,  // torchvision's Resize, RandomCrop(size): the evaluation's scale, a random place
  };
  int64_t size = 224;
  Crop crop = Crop::resized;
  RandomResizedCrop resized_crop = {};
  int64_t padding = 4;
  double flip_probability = 0.5;
  ColorJitter jitter = {};           // off by default
  EvaluationOptions otherwise = {};  // what Crop::none and shifted do; its crop is `size`
  Filter filter = Filter::bilinear;
};

/// Crop, flip, colour jitter, in this order.
Transform training_transform(const TrainingOptions& options);

/// Where a training transform looks in one epoch: at a window of a kept image, perhaps mirrored.
struct Placement {
  int64_t left = 0, top = 0;
  bool mirrored = false;
};

/// A training transform in two: what is the same in every epoch, and what each draws anew. Done one
/// after the other they are training_transform() byte for byte, black outside of the image.
struct PlacedTransform {
  Transform fixed;
  int64_t size = 0;  // both sides of the window
  std::function<Placement(SampleRandom&)> place;
};
/// Nothing for a transform that changes colours or resizes at random, nor for a shifted crop, whose
/// room is each image's own. All images must have the given size. Throws Error where the window has
/// no room.
std::optional<PlacedTransform> placed_training_transform(const TrainingOptions& options,
                                                         int64_t width, int64_t height);

}  // namespace burin::data
