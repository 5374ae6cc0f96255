#include "burin/nn/batch_norm.h"

#include "burin/tensor/ops/pool2d.h"

namespace burin::nn {

BatchNorm::BatchNorm(int64_t channels, Device device) {
  const TensorOptions options = {DType::f32, device};
  state.weight = full({channels}, 1, options);
  state.bias = zeros({channels}, options);
  state.running_mean = zeros({channels}, options);
  state.running_variance = full({channels}, 1, options);
  state.num_batches_tracked = zeros({}, {DType::i64, device});
  state.weight.set_requires_grad(true);
  state.bias.set_requires_grad(true);
}

Tensor BatchNorm::forward(const Tensor& x, const BatchNormEpilogue& epilogue) {
  if (!training) return batch_norm_inference(x, state, epilogue, epsilon);
  return batch_norm_train(x, state, epilogue, momentum, epsilon);
}

Tensor BatchNorm::forward_max_pool(const Tensor& x, const Pool2dParams& params) {
  if (!training) return max_pool2d(forward(x, {.relu = true}), params);
  return batch_norm_max_pool_train(x, state, params, momentum, epsilon);
}

void BatchNorm::visit(Visitor& visitor) {
  visitor.parameter("weight", state.weight);
  visitor.parameter("bias", state.bias);
  visitor.buffer("running_mean", state.running_mean);
  visitor.buffer("running_var", state.running_variance);
  visitor.buffer("num_batches_tracked", state.num_batches_tracked);
}

std::string BatchNorm::describe() const {
  return str("BatchNorm(", state.weight.dim(0), ")");
}

}  // namespace burin::nn
