#include "tensors.h"

#include <vector>

namespace burin::bench {

using torch::Tensor;

torch::ScalarType type_of(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return torch::kBFloat16;
    case DType::f16:
      return torch::kHalf;
    case DType::i64:
      return torch::kLong;
    case DType::i32:
      return torch::kInt;
    case DType::u8:
      return torch::kByte;
    default:
      return torch::kFloat;
  }
}

Tensor tensor_of(const ConstView& view) {
  const std::vector<int64_t> sizes(view.shape.begin(), view.shape.end());
  const std::vector<int64_t> strides(view.strides.begin(), view.strides.end());
  return torch::from_blob(const_cast<void*>(view.data), sizes, strides,
                          torch::dtype(type_of(view.dtype)));
}

Tensor optional_of(const ConstView& view) {
  return view ? tensor_of(view) : Tensor();
}

Tensor unread_like(const ConstView& view) {
  return torch::empty_like(tensor_of(view));
}

Tensor finished(Tensor y, const Tensor& residual, Activation activation) {
  if (residual.defined()) y.add_(residual);
  switch (activation) {
    case Activation::none:
      return y;
    case Activation::relu:
      return y.relu_();
    case Activation::gelu:
      return at::gelu(y);
    case Activation::gelu_tanh:
      return at::gelu(y, "tanh");
    case Activation::sigmoid:
      return y.sigmoid_();
  }
  return y;
}

}  // namespace burin::bench
