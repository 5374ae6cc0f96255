// Batch normalisation through cuDNN's classic calls: the plain form. With ReLU it keeps a mask of
// its own making, which is not the contract's, so ReLU and residual are refused.
#include "burin/kernels/batch_norm.h"

#include "burin/kernels/cudnn/support/family.h"

namespace burin::cudnn {
namespace {

/// Features [N, C] as images of one pixel.
ConstView as_image(const ConstView& x) {
  if (x.rank() == 4) return x;
  return ConstView::dense(x.data, x.dtype, {x.dim(0), x.dim(1), 1, 1});
}

Refusal refuse_image(const ConstView& x, float epsilon) {
  if (x.rank() != 2 && x.rank() != 4) return str("rank ", x.rank());
  if (epsilon < static_cast<float>(CUDNN_BN_MIN_EPSILON)) return str("epsilon ", epsilon);
  return refuse_view(x);
}

Refusal accepts_train(const BatchNormTrain& op, const Context& /*context*/) {
  if (op.relu || op.residual) return "ReLU or a residual: cuDNN's mask is not the contract's";
  const bool both = static_cast<bool>(op.running_mean) == static_cast<bool>(op.running_variance);
  if (!both) return "one of the running statistics without the other";
  if (op.num_batches_tracked) return "cuDNN does not count batches";
  return refuse_image(op.x, op.epsilon);
}

void train(const BatchNormTrain& op, Workspace /*workspace*/, Stream& stream) {
  const TensorDescriptor x(as_image(op.x)), y(as_image(op.y));
  const TensorDescriptor by_channel = TensorDescriptor::by_channel(op.x.dim(1));
  const float one = 1, zero = 0;
  cudnn_check(cudnnBatchNormalizationForwardTraining(
      handle_of(stream), CUDNN_BATCHNORM_SPATIAL, &one, &zero, x, op.x.data, y, op.y.data,
      by_channel, op.weight.data, op.bias.data, static_cast<double>(op.momentum),
      op.running_mean.data, op.running_variance.data, static_cast<double>(op.epsilon), op.mean.data,
      op.inverse_std.data));
}

Refusal accepts_inference(const BatchNormInference& op, const Context& /*context*/) {
  if (op.relu || op.residual) return "ReLU or a residual: only the fused convolution has them";
  return refuse_image(op.x, op.epsilon);
}

void inference(const BatchNormInference& op, Workspace /*workspace*/, Stream& stream) {
  const TensorDescriptor x(as_image(op.x)), y(as_image(op.y));
  const TensorDescriptor by_channel = TensorDescriptor::by_channel(op.x.dim(1));
  const float one = 1, zero = 0;
  cudnn_check(cudnnBatchNormalizationForwardInference(
      handle_of(stream), CUDNN_BATCHNORM_SPATIAL, &one, &zero, x, op.x.data, y, op.y.data,
      by_channel, op.weight.data, op.bias.data, op.mean.data, op.variance.data,
      static_cast<double>(op.epsilon)));
}

Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  if (op.relu_mask || op.dresidual) return "ReLU or a residual: cuDNN's mask is not the contract's";
  if (!op.batch_statistics) return "given statistics: cuDNN differentiates those of the batch";
  return refuse_image(op.x, 1);
}

void backward(const BatchNormBackward& op, Workspace /*workspace*/, Stream& stream) {
  const TensorDescriptor x(as_image(op.x)), dy(as_image(op.dy)), dx(as_image(op.dx));
  const TensorDescriptor by_channel = TensorDescriptor::by_channel(op.x.dim(1));
  const float one = 1, zero = 0;
  cudnn_check(cudnnBatchNormalizationBackward(
      handle_of(stream), CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one, &zero, x, op.x.data, dy,
      op.dy.data, dx, op.dx.data, by_channel, op.weight.data, op.dweight.data, op.dbias.data,
      CUDNN_BN_MIN_EPSILON, op.mean.data, op.inverse_std.data));
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_batch_norm(Registry& registry) {
  // Behind the handwritten ones: in nhwc these kernels take more than ten times as long.
  cudnn::add<BatchNormTrain>(registry, {.name = "cudnn/classic",
                                        .place = place::plain,
                                        .accepts = cudnn::accepts_train,
                                        .run = cudnn::train});
  cudnn::add<BatchNormInference>(registry, {.name = "cudnn/classic",
                                            .place = place::plain,
                                            .accepts = cudnn::accepts_inference,
                                            .run = cudnn::inference});
  cudnn::add<BatchNormBackward>(registry, {.name = "cudnn/classic",
                                           .place = place::plain,
                                           .accepts = cudnn::accepts_backward,
                                           .run = cudnn::backward});
}

}  // namespace burin
