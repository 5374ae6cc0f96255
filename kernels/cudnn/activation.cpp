// ReLU and sigmoid through cuDNN's classic calls. Its backward takes x and y; the contract saves
// one: y for both, and neither formula reads the other. GELU is left to the cuda family, which
// reads what the contract saves.
#include "burin/kernels/activation.h"

#include "burin/kernels/cudnn/support/family.h"

namespace burin::cudnn {
namespace {

class ActivationDescriptor {
 public:
  explicit ActivationDescriptor(Activation activation) {
    cudnn_check(cudnnCreateActivationDescriptor(&descriptor_));
    cudnn_check(cudnnSetActivationDescriptor(
        descriptor_,
        activation == Activation::relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_SIGMOID,
        CUDNN_PROPAGATE_NAN, 0));
  }
  ~ActivationDescriptor() { cudnnDestroyActivationDescriptor(descriptor_); }
  ActivationDescriptor(const ActivationDescriptor&) = delete;
  ActivationDescriptor& operator=(const ActivationDescriptor&) = delete;
  cudnnActivationDescriptor_t get() const { return descriptor_; }

 private:
  cudnnActivationDescriptor_t descriptor_ = nullptr;
};

/// All elements as one row: any shape, any dense layout.
ConstView as_row(const ConstView& view) {
  return ConstView::dense(view.data, view.dtype, {1, 1, 1, view.numel()});
}

Refusal refuse_kind(Activation activation) {
  const bool has = activation == Activation::relu || activation == Activation::sigmoid;
  return has ? "" : str("activation ", name_of(activation));
}

Refusal accepts_forward(const ActivationForward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_view(as_row(op.x)); !refusal.empty()) return refusal;
  if (!same_dense_order(op.x, op.y)) return "x and y are not dense in one layout";
  return refuse_kind(op.activation);
}

void forward(const ActivationForward& op, Workspace /*workspace*/, Stream& stream) {
  const ActivationDescriptor activation(op.activation);
  const TensorDescriptor row(as_row(op.x));
  const float one = 1, zero = 0;
  cudnn_check(cudnnActivationForward(handle_of(stream), activation.get(), &one, row, op.x.data,
                                     &zero, row, op.y.data));
}

Refusal accepts_backward(const ActivationBackward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_view(as_row(op.dy)); !refusal.empty()) return refusal;
  const bool same = same_dense_order(op.dy, op.dx) && same_dense_order(op.dy, op.saved);
  if (!same) return "dy, saved and dx are not dense in one layout";
  // Its mask drops the gradient where y is NaN, which must pass it on.
  if (op.activation == Activation::relu) return "activation relu loses NaN";
  return refuse_kind(op.activation);
}

void backward(const ActivationBackward& op, Workspace /*workspace*/, Stream& stream) {
  const ActivationDescriptor activation(op.activation);
  const TensorDescriptor row(as_row(op.dy));
  const float one = 1, zero = 0;
  cudnn_check(cudnnActivationBackward(handle_of(stream), activation.get(), &one, row, op.saved.data,
                                      row, op.dy.data, row, op.saved.data, &zero, row, op.dx.data));
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_activation(Registry& registry) {
  // Behind the handwritten ones: both are bound by memory, and those need no descriptor.
  cudnn::add<ActivationForward>(registry, {.name = "cudnn/classic",
                                           .place = place::plain,
                                           .accepts = cudnn::accepts_forward,
                                           .run = cudnn::forward});
  cudnn::add<ActivationBackward>(registry, {.name = "cudnn/classic",
                                            .place = place::plain,
                                            .accepts = cudnn::accepts_backward,
                                            .run = cudnn::backward});
}

}  // namespace burin
