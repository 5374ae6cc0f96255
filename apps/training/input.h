#pragma once

#include "burin/data/loader.h"
#include "burin/models/model.h"

namespace burin::apps {

/// Turns batches of decoded u8 images into a network's input on its device.
class InputMaker {
 public:
  InputMaker(const models::Preprocess& preprocess, DType dtype, Device device, Layout layout);

  /// [N, 3, H, W], normalised
  Tensor images(const data::Batch& batch) const;
  /// [N] i64
  Tensor labels(const data::Batch& batch) const;

 private:
  Tensor mean_, std_;
  DType dtype_;
  Device device_;
  Layout layout_;
};

/// The transform that evaluates images as the model wants them.
data::Transform evaluation_transform(const models::Preprocess& preprocess);

}  // namespace burin::apps
