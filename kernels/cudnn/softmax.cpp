// Softmax and its logarithm over rows through cuDNN's classic calls.
#include "burin/kernels/softmax.h"

#include "burin/kernels/cudnn/support/family.h"

namespace burin::cudnn {
namespace {

/// [rows, C] as images of one pixel, which "instance" mode normalises over their channels.
ConstView as_pixels(const ConstView& rows) {
  return ConstView::dense(rows.data, rows.dtype, {rows.dim(0), rows.dim(1), 1, 1});
}

cudnnSoftmaxAlgorithm_t algorithm(bool log) {
  return log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE;
}

Refusal accepts_forward(const SoftmaxForward& op, const Context& /*context*/) {
  // Seen on an H200: with 1000 classes 1.3 times what rounding to 16 bits explains.
  if (op.x.dtype != DType::f32) return str("dtype ", op.x.dtype);
  if (Refusal refusal = refuse_view(op.x); !refusal.empty()) return refusal;
  return op.x.is_contiguous() && op.y.is_contiguous() ? "" : "x or y is not contiguous";
}

void forward(const SoftmaxForward& op, Workspace /*workspace*/, Stream& stream) {
  const TensorDescriptor rows(as_pixels(op.x));
  const float one = 1, zero = 0;
  cudnn_check(cudnnSoftmaxForward(handle_of(stream), algorithm(op.log), CUDNN_SOFTMAX_MODE_INSTANCE,
                                  &one, rows, op.x.data, &zero, rows, op.y.data));
}

Refusal accepts_backward(const SoftmaxBackward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_view(op.dy); !refusal.empty()) return refusal;
  const bool all = op.dy.is_contiguous() && op.y.is_contiguous() && op.dx.is_contiguous();
  return all ? "" : "dy, y or dx is not contiguous";
}

void backward(const SoftmaxBackward& op, Workspace /*workspace*/, Stream& stream) {
  const TensorDescriptor rows(as_pixels(op.dy));
  const float one = 1, zero = 0;
  cudnn_check(cudnnSoftmaxBackward(handle_of(stream), algorithm(op.log),
                                   CUDNN_SOFTMAX_MODE_INSTANCE, &one, rows, op.y.data, rows,
                                   op.dy.data, &zero, rows, op.dx.data));
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_softmax(Registry& registry) {
  cudnn::add<SoftmaxForward>(registry, {.name = "cudnn/classic",
                                        .place = place::plain,
                                        .accepts = cudnn::accepts_forward,
                                        .run = cudnn::forward});
  cudnn::add<SoftmaxBackward>(registry, {.name = "cudnn/classic",
                                         .place = place::plain,
                                         .accepts = cudnn::accepts_backward,
                                         .run = cudnn::backward});
}

}  // namespace burin
