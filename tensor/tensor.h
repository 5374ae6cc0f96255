#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <vector>

#include "burin/kernels/base/view.h"
#include "burin/tensor/storage.h"

namespace burin {

struct Node;

/// What a new tensor is made of, besides its shape.
struct TensorOptions {
  DType dtype = DType::f32;
  Device device = Device::cpu();
  Layout layout = Layout::nchw;  // of rank-4 tensors; row-major unless said
};

/// A shaped, typed view of shared storage, and a place in the autograd graph. A handle: copying it
/// is cheap and shares everything; clone() copies the elements.
///
/// Distinct tensors may be used from different threads. One tensor may be read by several threads;
/// who writes must be alone.
class Tensor {
 public:
  /// No tensor at all: defined() is false.
  Tensor() = default;

  /// Copies host values, without waiting for the device. They become options.dtype, f32 unless it
  /// is named, whatever T is. Throws Error unless there are numel(shape) of them.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape,
                     const TensorOptions& options = {});
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape,
                     const TensorOptions& options = {}) {
    return from(std::span<const T>(values), shape, options);
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  const Strides& strides() const { return impl().strides; }
  int rank() const { return impl().shape.rank(); }
  /// Extent of dimension i; negative counts from the back. Throws Error if there is none.
  int64_t dim(int i) const;
  int64_t numel() const { return burin::numel(shape()); }
  DType dtype() const { return impl().dtype; }
  Device device() const { return impl().storage->device(); }
  /// nhwc if the memory is dense in that order, else nchw. Extents of 1 do not decide: nhwc then.
  Layout layout() const;
  /// dtype, device and layout, for a tensor like this one.
  TensorOptions options() const { return {dtype(), device(), layout()}; }
  bool is_dense() const;
  bool is_contiguous() const { return view().is_contiguous(); }

  /// For a kernel to read.
  ConstView view() const;
  /// For a kernel to write: bumps the storage's version.
  View writable();
  const std::shared_ptr<Storage>& storage() const { return impl().storage; }

  /// Another look at the same storage. Not recorded: see ops/shape.h for the differentiable ones.
  Tensor alias(const Shape& shape, const Strides& strides, int64_t offset_elements = 0) const;

  /// Whether backward() is to leave a gradient here. Only for leaves: throws Error for a result.
  Tensor& set_requires_grad(bool value);
  /// True for a leaf that wants a gradient and for what is computed from one.
  bool requires_grad() const;
  /// The gradient, undefined until backward() has left one.
  const Tensor& grad() const;
  void set_grad(Tensor grad);
  /// The same elements without a place in the graph.
  Tensor detach() const;

  /// Reads one value back to the host.
  /// Throws Error unless the tensor has exactly one element. Waits for the stream: use it for
  /// logging, not inside a step.
  double item() const;
  /// Copies all elements to the host in logical order, converted to T (float, double, int64_t, …).
  template <class T>
  std::vector<T> to_vector() const;

  /// Two handles on the same tensor.
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

 private:
  friend struct GraphAccess;
  friend Tensor empty(const Shape& shape, const TensorOptions& options);
  struct Impl {
    std::shared_ptr<Storage> storage;
    int64_t offset = 0;  // in elements
    Shape shape;
    Strides strides;
    DType dtype = DType::f32;
    bool leaf_wants_grad = false;
    std::shared_ptr<Node> node;  // made it; or, for a leaf that wants one, collects its gradient
    std::shared_ptr<Tensor> gradient;
  };

  const Impl& impl() const;
  std::shared_ptr<Impl> impl_;
};

/// Content undefined.
Tensor empty(const Shape& shape, const TensorOptions& options = {});
/// Content undefined; shape, dtype, device and strides of x (dense if x is not).
Tensor empty_like(const Tensor& x);
Tensor zeros(const Shape& shape, const TensorOptions& options = {});
Tensor full(const Shape& shape, double value, const TensorOptions& options = {});

/// Copies the elements of `from` into `to`: any dtypes, strides, devices. Shapes must agree.
/// Not recorded: a gradient asked of `from` is an error. From a device to another the copy waits
/// for the first.
void copy_into(Tensor& to, const Tensor& from);

/// "Tensor f32 [2, 3] cpu" and the elements, long ones shortened in the middle.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace burin
