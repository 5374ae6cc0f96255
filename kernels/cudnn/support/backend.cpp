#include "burin/kernels/cudnn/support/backend.h"

#include <algorithm>

namespace burin::cudnn {

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t made = nullptr;
  cudnn_check(cudnnBackendCreateDescriptor(type, &made));
  held_ = std::shared_ptr<Held>(made, [](Held* held) { cudnnBackendDestroyDescriptor(held); });
}

Descriptor& Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                int64_t count, const void* values) {
  cudnn_check(cudnnBackendSetAttribute(raw(), name, type, count, values));
  return *this;
}

Descriptor& Descriptor::set(cudnnBackendAttributeName_t name,
                            const std::vector<Descriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> all;
  for (const Descriptor& value : values) all.push_back(value.raw());
  return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(all.size()), all.data());
}

Descriptor& Descriptor::finalize() {
  cudnn_check(cudnnBackendFinalize(raw()));
  return *this;
}

bool Descriptor::try_finalize() {
  return cudnnBackendFinalize(raw()) == CUDNN_STATUS_SUCCESS;
}

namespace {

constexpr int64_t alignment = 16;  // of addresses, promised to cuDNN; support/plan.h checks them

Descriptor describe(TensorId id, const ConstView& view, DType dtype) {
  Descriptor descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  return descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, data_type_of(dtype))
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, view.shape)
      .set(CUDNN_ATTR_TENSOR_STRIDES, view.strides)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
}

}  // namespace

Descriptor tensor(TensorId id, const ConstView& view) {
  return describe(id, view, view.dtype).finalize();
}

Descriptor scalar(TensorId id, int rank) {
  Shape one;
  for (int i = 0; i < rank; ++i) one.push_back(1);
  return describe(id, ConstView::dense(nullptr, DType::f32, one), DType::f32)
      .set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true)
      .finalize();
}

Descriptor between(TensorId id, const ConstView& like, DType dtype) {
  return describe(id, like, dtype).set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true).finalize();
}

namespace {

Descriptor pointwise_operation(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor* b,
                               const Descriptor& y) {
  Descriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  how.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  // What is documented as the default makes NaN 0.
  if (mode == CUDNN_POINTWISE_RELU_FWD) {
    how.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
  }
  how.finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  if (b != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  return operation.finalize();
}

}  // namespace

Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor& y) {
  return pointwise_operation(mode, x, nullptr, y);
}

Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor& b,
                     const Descriptor& y) {
  return pointwise_operation(mode, x, &b, y);
}

Descriptor matmul(const Descriptor& a, const Descriptor& b, const Descriptor& c) {
  Descriptor how(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  how.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT).finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  return operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, how)
      .set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a)
      .set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b)
      .set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c)
      .finalize();
}

Descriptor reduction(cudnnReduceTensorOp_t how, const Descriptor& x, const Descriptor& y) {
  Descriptor reduce(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  reduce.set(CUDNN_ATTR_REDUCTION_OPERATOR, how)
      .set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  return operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, reduce)
      .set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x)
      .set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y)
      .finalize();
}

Descriptor reshape(const Descriptor& x, const Descriptor& y) {
  Descriptor operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  return operation.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x)
      .set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y)
      .finalize();
}

}  // namespace burin::cudnn
