// Pooling through cuDNN's classic calls: averages in both directions, maxima where no index is
// asked for. cuDNN finds a maximum again in backward from x and y; the contract keeps its index
// instead. Maxima come last of all: no GPU has shown whether a window of −∞ alone stays −∞.
#include "burin/kernels/pool2d.h"

#include "burin/kernels/cudnn/support/family.h"

namespace burin::cudnn {
namespace {

class PoolingDescriptor {
 public:
  PoolingDescriptor(cudnnPoolingMode_t mode, const Pool2dParams& p) {
    cudnn_check(cudnnCreatePoolingDescriptor(&descriptor_));
    const auto number = [](int64_t value) { return static_cast<int>(value); };
    cudnn_check(cudnnSetPooling2dDescriptor(
        descriptor_, mode, CUDNN_PROPAGATE_NAN, number(p.kernel_h), number(p.kernel_w),
        number(p.pad_h), number(p.pad_w), number(p.stride_h), number(p.stride_w)));
  }
  ~PoolingDescriptor() { cudnnDestroyPoolingDescriptor(descriptor_); }
  PoolingDescriptor(const PoolingDescriptor&) = delete;
  PoolingDescriptor& operator=(const PoolingDescriptor&) = delete;
  cudnnPoolingDescriptor_t get() const { return descriptor_; }

 private:
  cudnnPoolingDescriptor_t descriptor_ = nullptr;
};

Refusal refuse_images(const ConstView& input, const ConstView& output, const Pool2dParams& params) {
  if (Refusal refusal = refuse_view(input); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_view(output); !refusal.empty()) return refusal;
  if (input.rank() != 4 || output.rank() != 4) return "only [N, C, H, W]";
  return params.ceil_mode ? "cuDNN rounds the output extent down" : "";
}

Refusal accepts_max(const MaxPool2dForward& op, const Context& /*context*/) {
  if (op.index) return "cuDNN does not tell the index of a maximum";
  return refuse_images(op.x, op.y, op.params);
}
Refusal accepts_average(const AvgPool2dForward& op, const Context& /*context*/) {
  return refuse_images(op.x, op.y, op.params);
}
Refusal accepts_average_backward(const AvgPool2dBackward& op, const Context& /*context*/) {
  return refuse_images(op.dx, op.dy, op.params);
}

cudnnPoolingMode_t average_mode(const Pool2dParams& params) {
  return params.count_include_pad ? CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
                                  : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
}

template <class Op>
void forward(const Op& op, cudnnPoolingMode_t mode, Stream& stream) {
  const PoolingDescriptor pooling(mode, op.params);
  const TensorDescriptor x(op.x), y(op.y);
  const float one = 1, zero = 0;
  cudnn_check(cudnnPoolingForward(handle_of(stream), pooling.get(), &one, x, op.x.data, &zero, y,
                                  op.y.data));
}

void max_forward(const MaxPool2dForward& op, Workspace /*workspace*/, Stream& stream) {
  forward(op, CUDNN_POOLING_MAX_DETERMINISTIC, stream);
}
void average_forward(const AvgPool2dForward& op, Workspace /*workspace*/, Stream& stream) {
  forward(op, average_mode(op.params), stream);
}

void average_backward(const AvgPool2dBackward& op, Workspace /*workspace*/, Stream& stream) {
  const PoolingDescriptor pooling(average_mode(op.params), op.params);
  const TensorDescriptor dx(op.dx), dy(op.dy);
  const float one = 1, zero = 0;
  // x and y have to be there, but an average's gradient does not depend on them.
  cudnn_check(cudnnPoolingBackward(handle_of(stream), pooling.get(), &one, dy, op.dy.data, dy,
                                   op.dy.data, dx, op.dx.data, &zero, dx, op.dx.data));
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_pool2d(Registry& registry) {
  cudnn::add<MaxPool2dForward>(registry, {.name = "cudnn/classic",
                                          .place = place::plain,
                                          .accepts = cudnn::accepts_max,
                                          .run = cudnn::max_forward});
  cudnn::add<AvgPool2dForward>(registry, {.name = "cudnn/classic",
                                          .place = place::vendor,
                                          .accepts = cudnn::accepts_average,
                                          .run = cudnn::average_forward});
  cudnn::add<AvgPool2dBackward>(registry, {.name = "cudnn/classic",
                                           .place = place::vendor,
                                           .accepts = cudnn::accepts_average_backward,
                                           .run = cudnn::average_backward});
}

}  // namespace burin
