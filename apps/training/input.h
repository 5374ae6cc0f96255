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
  /// u8 [N, 3, H, W], as decoded
  Tensor pixels(const data::Batch& batch) const;
  /// [N] i64
  Tensor labels(const data::Batch& batch) const;

  /// Memory for `size` images.
  Tensor make_images(int64_t size, int64_t height, int64_t width) const;
  void normalize(const Tensor& pixels, Tensor& images) const;
  /// From a table of pixels, as `rows` say (tensor/ops/gather_u8.h).
  void gather(const Tensor& table, const Tensor& rows, Tensor& images) const;
  Device device() const { return device_; }

 private:
  Tensor mean_, std_;
  DType dtype_;
  Device device_;
  Layout layout_;
};

/// The transform that evaluates images as the model wants them.
data::Transform evaluation_transform(const models::Preprocess& preprocess);

}  // namespace burin::apps
