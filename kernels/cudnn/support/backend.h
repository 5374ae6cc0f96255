#pragma once

#include <cudnn.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "burin/kernels/base/view.h"
#include "burin/kernels/cudnn/support/library.h"

namespace burin::cudnn {

/// A descriptor of cuDNN's graph ("backend") API: made of a type, filled with attributes,
/// finalised.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);

  Descriptor& set(cudnnBackendAttributeName_t name, int64_t value) {
    return set_raw(name, CUDNN_TYPE_INT64, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::initializer_list<int64_t> values) {
    return set_raw(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.begin());
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const int64_t> values) {
    return set_raw(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Dims& values) {
    return set_raw(name, CUDNN_TYPE_INT64, values.rank(), values.begin());
  }
  Descriptor& set(cudnnBackendAttributeName_t name, float value) {
    return set_raw(name, CUDNN_TYPE_FLOAT, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, bool value) {
    return set_raw(name, CUDNN_TYPE_BOOLEAN, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    return set_raw(name, CUDNN_TYPE_DATA_TYPE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnConvolutionMode_t value) {
    return set_raw(name, CUDNN_TYPE_CONVOLUTION_MODE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnPointwiseMode_t value) {
    return set_raw(name, CUDNN_TYPE_POINTWISE_MODE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnNanPropagation_t value) {
    return set_raw(name, CUDNN_TYPE_NAN_PROPOGATION, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnReduceTensorOp_t value) {
    return set_raw(name, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendHeurMode_t value) {
    return set_raw(name, CUDNN_TYPE_HEUR_MODE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnHandle_t value) {
    return set_raw(name, CUDNN_TYPE_HANDLE, 1, &value);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    const cudnnBackendDescriptor_t raw = value.raw();
    return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values);
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<void* const> pointers) {
    return set_raw(name, CUDNN_TYPE_VOID_PTR, static_cast<int64_t>(pointers.size()),
                   pointers.data());
  }

  /// Checks and seals it. Throws Error if cuDNN refuses what it says.
  Descriptor& finalize();
  /// The same, but tells by false that cuDNN has nothing for it.
  bool try_finalize();

  cudnnBackendDescriptor_t raw() const { return held_.get(); }

 private:
  using Held = std::remove_pointer_t<cudnnBackendDescriptor_t>;
  Descriptor& set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                      int64_t count, const void* values);
  std::shared_ptr<Held> held_;
};

/// Tensors of a graph are known by number: the variant pack gives each number its address.
using TensorId = int64_t;

/// A tensor that lies in memory.
Descriptor tensor(TensorId id, const ConstView& view);
/// One f32 number in the host's memory, read when the graph is queued.
Descriptor scalar(TensorId id, int rank);
/// One that only exists between two operations of the graph, shaped like `like`.
Descriptor between(TensorId id, const ConstView& like, DType dtype = DType::f32);

/// y = mode(x), or mode(x, b): element by element, b broadcast, computed in f32.
Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor& y);
Descriptor pointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor& b,
                     const Descriptor& y);

/// c = a · b over the last two dimensions, summed in f32.
Descriptor matmul(const Descriptor& a, const Descriptor& b, const Descriptor& c);
/// y = x combined by `how` over the dimensions in which y has extent 1, in f32.
Descriptor reduction(cudnnReduceTensorOp_t how, const Descriptor& x, const Descriptor& y);
/// The elements of x seen with the dimensions and strides of y.
Descriptor reshape(const Descriptor& x, const Descriptor& y);

}  // namespace burin::cudnn
