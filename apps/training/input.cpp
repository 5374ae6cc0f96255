#include "burin/apps/training/input.h"

#include "burin/tensor/ops/gather_u8.h"
#include "burin/tensor/ops/normalize_u8.h"

namespace burin::apps {

InputMaker::InputMaker(const models::Preprocess& preprocess, DType dtype, Device device,
                       Layout layout)
    : mean_(Tensor::from(std::span<const float>(preprocess.mean), {3}, {.device = device})),
      std_(Tensor::from(std::span<const float>(preprocess.std), {3}, {.device = device})),
      dtype_(dtype),
      device_(device),
      layout_(layout) {}

Tensor InputMaker::images(const data::Batch& batch) const {
  Tensor images = make_images(batch.size(), batch.height, batch.width);
  normalize(pixels(batch), images);
  return images;
}

Tensor InputMaker::pixels(const data::Batch& batch) const {
  const int64_t N = batch.size(), H = batch.height, W = batch.width;
  // The pixels lie as [N, H, W, 3]: an nhwc tensor as they are.
  const Tensor pixels =
      Tensor::from(batch.pixels, {N, H, W, 3}, {.dtype = DType::u8, .device = device_});
  return pixels.alias({N, 3, H, W}, dense_strides({N, 3, H, W}, Layout::nhwc));
}

Tensor InputMaker::make_images(int64_t size, int64_t height, int64_t width) const {
  return empty({size, 3, height, width}, {dtype_, device_, layout_});
}

void InputMaker::normalize(const Tensor& pixels, Tensor& images) const {
  normalize_u8(pixels, mean_, std_, images);
}

void InputMaker::gather(const Tensor& table, const Tensor& rows, Tensor& images) const {
  gather_u8(table, rows, mean_, std_, images);
}

Tensor InputMaker::labels(const data::Batch& batch) const {
  return Tensor::from(batch.labels, {batch.size()}, {.dtype = DType::i64, .device = device_});
}

data::Transform evaluation_transform(const models::Preprocess& preprocess) {
  const auto filter = preprocess.bicubic ? data::Filter::bicubic : data::Filter::bilinear;
  if (preprocess.square) return data::fastai_transform(preprocess.crop, filter);
  return data::evaluation_transform({preprocess.resize, preprocess.crop, filter});
}

}  // namespace burin::apps
