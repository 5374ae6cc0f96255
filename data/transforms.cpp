#include "burin/data/transforms.h"

#include <algorithm>
#include <cmath>

#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

/// Python's int(round(x / 2)): ties go to the even number.
int64_t half_to_even(int64_t x) {
  const int64_t half = x / 2;
  return x % 2 == 0 || half % 2 == 0 ? half : half + 1;
}

int64_t center_offset(int64_t extent, int64_t size) {
  return extent >= size ? half_to_even(extent - size) : -((size - extent) / 2);
}

bool is_inside(const Window& window, const Window& whole) {
  return window.left >= 0 && window.top >= 0 && window.left + window.width <= whole.width &&
         window.top + window.height <= whole.height;
}

Window evaluation_size(const Image& image, const EvaluationOptions& options) {
  return options.resize > 0 ? resized_size(image.width, image.height, options.resize)
                            : Window{0, 0, image.width, image.height};
}

/// A window of the image after the resize of an evaluation.
Image window_of_resized(const Image& image, const Window& size, const Window& window,
                        const EvaluationOptions& options) {
  ResizePlan plan = ResizePlan::whole(image, size.width, size.height, options.filter);
  if (!is_inside(window, size)) return crop(resize(image, plan), window);
  plan.window = window;
  return resize(image, plan);
}

Image evaluate(const Image& image, const EvaluationOptions& options) {
  const Window size = evaluation_size(image, options);
  return window_of_resized(image, size, center_crop(size.width, size.height, options.crop),
                           options);
}

Image crop_and_resize(const Image& image, const Window& window, int64_t size, Filter filter) {
  const bool is_whole = window == Window{0, 0, image.width, image.height};
  return resize(is_whole ? image : crop(image, window), size, size, filter);
}

Window random_padded_crop(int64_t width, int64_t height, const TrainingOptions& options,
                          SampleRandom& random) {
  const int64_t room_x = width + 2 * options.padding - options.size;
  const int64_t room_y = height + 2 * options.padding - options.size;
  check(room_x >= 0 && room_y >= 0, "random crop: an image of ", width, "x", height, " padded by ",
        options.padding, " is smaller than the crop of ", options.size);
  const int64_t left = random.below(room_x + 1) - options.padding;
  const int64_t top = random.below(room_y + 1) - options.padding;
  return {left, top, options.size, options.size};
}

Image plain_crop(const Image& image, const TrainingOptions& options) {
  EvaluationOptions plain = options.otherwise;
  plain.crop = options.size;
  return evaluate(image, plain);
}

/// Where there is no room to move in, the centre.
Image shifted_crop(const Image& image, const TrainingOptions& options, SampleRandom& random) {
  const Window size = evaluation_size(image, options.otherwise);
  Window window = center_crop(size.width, size.height, options.size);
  if (size.width > options.size) window.left = random.below(size.width - options.size + 1);
  if (size.height > options.size) window.top = random.below(size.height - options.size + 1);
  return window_of_resized(image, size, window, options.otherwise);
}

Image training_crop(const Image& image, const TrainingOptions& options, SampleRandom& random) {
  switch (options.crop) {
    case TrainingOptions::Crop::none:
      return plain_crop(image, options);
    case TrainingOptions::Crop::resized: {
      const Window window = options.resized_crop.window(image.width, image.height, random);
      return crop_and_resize(image, window, options.size, options.filter);
    }
    case TrainingOptions::Crop::square: {
      const double x = random.uniform(0, 1), y = random.uniform(0, 1);
      return crop_and_resize(image, fastai_crop(image.width, image.height, x, y), options.size,
                             options.filter);
    }
    case TrainingOptions::Crop::shifted:
      return shifted_crop(image, options, random);
    case TrainingOptions::Crop::padded:
      return crop(image, random_padded_crop(image.width, image.height, options, random));
  }
  fail("training transform: unknown crop");
}

}  // namespace

Window resized_size(int64_t width, int64_t height, int64_t short_side) {
  const int64_t shorter = std::min(width, height);
  const int64_t longer = std::max(width, height);
  // int(short_side · long / short) in Python: a true division, then cut off.
  const auto long_side =
      static_cast<int64_t>(static_cast<double>(short_side * longer) / static_cast<double>(shorter));
  if (width <= height) return {0, 0, short_side, long_side};
  return {0, 0, long_side, short_side};
}

Window center_crop(int64_t width, int64_t height, int64_t size) {
  return {center_offset(width, size), center_offset(height, size), size, size};
}

Window fastai_crop(int64_t width, int64_t height, double x, double y) {
  const int64_t side = std::min(width, height);
  return {static_cast<int64_t>(x * static_cast<double>(width - side)),
          static_cast<int64_t>(y * static_cast<double>(height - side)), side, side};
}

Window RandomResizedCrop::window(int64_t width, int64_t height, SampleRandom& random) const {
  const auto area = static_cast<double>(width * height);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target_area = area * random.uniform(min_scale, max_scale);
    const double ratio = std::exp(random.uniform(std::log(min_ratio), std::log(max_ratio)));
    const auto w = static_cast<int64_t>(std::nearbyint(std::sqrt(target_area * ratio)));
    const auto h = static_cast<int64_t>(std::nearbyint(std::sqrt(target_area / ratio)));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    const int64_t top = random.below(height - h + 1);
    const int64_t left = random.below(width - w + 1);
    return {left, top, w, h};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  int64_t w = width;
  int64_t h = height;
  if (ratio < min_ratio) {
    h = static_cast<int64_t>(std::nearbyint(static_cast<double>(w) / min_ratio));
  }
  if (ratio > max_ratio) {
    w = static_cast<int64_t>(std::nearbyint(static_cast<double>(h) * max_ratio));
  }
  return {(width - w) / 2, (height - h) / 2, w, h};
}

EvaluationOptions EvaluationOptions::timm(int64_t crop, double crop_pct, Filter filter) {
  check(crop_pct > 0 && crop_pct <= 1, "timm transform: crop_pct must be in (0, 1], got ",
        crop_pct);
  return {static_cast<int64_t>(std::floor(static_cast<double>(crop) / crop_pct)), crop, filter};
}

Transform evaluation_transform(const EvaluationOptions& options) {
  check(options.crop >= 1 && options.resize >= 0,
        "evaluation transform: crop must be at least 1 and ", "resize at least 0, got ",
        options.crop, " and ", options.resize);
  return {options.crop, options.crop,
          [options](const Image& image, SampleRandom&) { return evaluate(image, options); }};
}

Transform fastai_transform(int64_t size, Filter filter) {
  check(size >= 1, "fastai transform: size must be at least 1, got ", size);
  return {size, size, [size, filter](const Image& image, SampleRandom&) {
            const Window window = fastai_crop(image.width, image.height, 0.5, 0.5);
            return crop_and_resize(image, window, size, filter);
          }};
}

Transform training_transform(const TrainingOptions& options) {
  check(options.size >= 1, "training transform: size must be at least 1, got ", options.size);
  return {options.size, options.size, [options](const Image& image, SampleRandom& random) {
            Image result = training_crop(image, options, random);
            if (random.chance(options.flip_probability)) result = flip_horizontal(result);
            options.jitter.apply(result, random);
            return result;
          }};
}

std::optional<PlacedTransform> placed_training_transform(const TrainingOptions& options,
                                                         int64_t width, int64_t height) {
  using Crop = TrainingOptions::Crop;
  const bool padded = options.crop == Crop::padded;
  const ColorJitter& jitter = options.jitter;
  const bool recolours =
      jitter.brightness != 0 || jitter.contrast != 0 || jitter.saturation != 0 || jitter.hue != 0;
  if (recolours || (!padded && options.crop != Crop::none)) return std::nullopt;
  PlacedTransform result;
  result.size = options.size;
  if (padded) {
    result.fixed = {width, height, [](const Image& image, SampleRandom&) { return image; }};
  } else {
    result.fixed = {options.size, options.size, [options](const Image& image, SampleRandom&) {
                      return plain_crop(image, options);
                    }};
  }
  result.place = [options, width, height, padded](SampleRandom& random) {
    Placement placement;
    if (padded) {
      const Window window = random_padded_crop(width, height, options, random);
      placement = {window.left, window.top};
    }
    placement.mirrored = random.chance(options.flip_probability);
    return placement;
  };
  return result;
}

}  // namespace burin::data
