#include "burin/tensor/tensor.h"

#include <limits>

#include "burin/kernels/copy.h"
#include "burin/kernels/fill.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/launch.h"

namespace burin {
namespace {

template <class T>
constexpr DType dtype_for() {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::i64;
  if constexpr (std::is_same_v<T, int32_t>) return DType::i32;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::u8;
}

/// Host memory ↔ a contiguous tensor. An upload does not wait: `from` may be reused at once.
void transfer(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  const Device device = to_device.kind == DeviceKind::cpu ? from_device : to_device;
  Stream& stream = current_stream(device);
  DeviceRuntime& runtime = runtime_of(device);
  runtime.copy(stream, to, to_device, from, from_device, bytes);
  if (from_device.kind != DeviceKind::cpu || runtime.is_pinned(from)) runtime.synchronize(stream);
}

/// The elements of x on the host as T, row-major.
template <class T>
std::vector<T> download(const Tensor& x) {
  Tensor dense = empty(x.shape(), {dtype_for<T>(), x.device()});
  launch(x.device(), Copy{x.view(), dense.writable()});
  std::vector<T> values(static_cast<size_t>(x.numel()));
  transfer(values.data(), Device::cpu(), dense.view().data, x.device(), values.size() * sizeof(T));
  return values;
}

}  // namespace

const Tensor::Impl& Tensor::impl() const {
  check(impl_ != nullptr, "tensor: an undefined tensor was used");
  return *impl_;
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, const TensorOptions& options) {
  check(static_cast<int64_t>(values.size()) == burin::numel(shape), "tensor: shape ", shape,
        " has ", burin::numel(shape), " elements, ", values.size(), " values were given");
  Tensor host = empty(shape, {dtype_for<T>(), options.device});
  transfer(host.writable().data, options.device, values.data(), Device::cpu(), values.size_bytes());
  if (host.dtype() == options.dtype && options.layout == Layout::nchw) return host;
  Tensor result = empty(shape, options);
  launch(options.device, Copy{host.view(), result.writable()});
  return result;
}

template Tensor Tensor::from(std::span<const float>, const Shape&, const TensorOptions&);
template Tensor Tensor::from(std::span<const int64_t>, const Shape&, const TensorOptions&);
template Tensor Tensor::from(std::span<const int32_t>, const Shape&, const TensorOptions&);
template Tensor Tensor::from(std::span<const uint8_t>, const Shape&, const TensorOptions&);

int64_t Tensor::dim(int i) const {
  check(i >= -rank() && i < rank(), "tensor: there is no dimension ", i, " of ", shape());
  return shape()[i < 0 ? rank() + i : i];
}

Layout Tensor::layout() const {
  return rank() == 4 && view().is_dense(Layout::nhwc) ? Layout::nhwc : Layout::nchw;
}

bool Tensor::is_dense() const {
  return view().is_dense(Layout::nchw) || view().is_dense(Layout::nhwc);
}

ConstView Tensor::view() const {
  const Impl& self = impl();
  const auto* const begin = static_cast<const std::byte*>(self.storage->data());
  ContentKey key{self.storage->id(), self.storage->version()};
  if (recorded_writes() != nullptr) key = {};
  return BasicView<const void*>{begin + self.offset * static_cast<int64_t>(size_of(self.dtype)),
                                self.dtype, self.shape, self.strides, key};
}

View Tensor::writable() {
  const Impl& self = impl();
  self.storage->bump_version();
  if (RecordedWrites* const writes = recorded_writes()) {
    check(device() == writes->device || device() == Device::cpu(), "recording: a step on ",
          writes->device, " can't repeat what it does on ", device());
    writes->storages.push_back(self.storage);
  }
  auto* const begin = static_cast<std::byte*>(self.storage->data());
  return BasicView<void*>{begin + self.offset * static_cast<int64_t>(size_of(self.dtype)),
                          self.dtype,
                          self.shape,
                          self.strides,
                          {}};
}

Tensor Tensor::alias(const Shape& shape, const Strides& strides, int64_t offset_elements) const {
  Tensor result;
  result.impl_ = std::make_shared<Impl>();
  result.impl_->storage = impl().storage;
  result.impl_->offset = impl().offset + offset_elements;
  result.impl_->shape = shape;
  result.impl_->strides = strides;
  result.impl_->dtype = impl().dtype;
  return result;
}

Tensor Tensor::detach() const {
  return alias(shape(), strides());
}

double Tensor::item() const {
  check(numel() == 1, "item: the tensor has shape ", shape(), ", not one element");
  return is_floating(dtype()) ? static_cast<double>(download<float>(*this)[0])
                              : static_cast<double>(download<int64_t>(*this)[0]);
}

template <>
std::vector<float> Tensor::to_vector() const {
  return download<float>(*this);
}
template <>
std::vector<int64_t> Tensor::to_vector() const {
  return download<int64_t>(*this);
}
template <>
std::vector<int32_t> Tensor::to_vector() const {
  return download<int32_t>(*this);
}
template <>
std::vector<uint8_t> Tensor::to_vector() const {
  return download<uint8_t>(*this);
}
template <>
std::vector<double> Tensor::to_vector() const {
  const std::vector<float> values = download<float>(*this);
  return {values.begin(), values.end()};
}

Tensor empty(const Shape& shape, const TensorOptions& options) {
  for (const int64_t extent : shape) {
    check(extent >= 0, "tensor: shape ", shape, " has a negative extent");
  }
  const auto count = static_cast<size_t>(numel(shape));
  constexpr size_t addressable = std::numeric_limits<ptrdiff_t>::max();
  check(count <= addressable / size_of(options.dtype), "tensor: ", options.dtype, ' ', shape,
        " has more bytes than can be addressed");
  Tensor result;
  result.impl_ = std::make_shared<Tensor::Impl>();
  result.impl_->storage = std::make_shared<Storage>(count * size_of(options.dtype), options.device);
  result.impl_->shape = shape;
  result.impl_->strides = dense_strides(shape, options.layout);
  result.impl_->dtype = options.dtype;
  return result;
}

Tensor empty_like(const Tensor& x) {
  return empty(x.shape(), x.options());
}

Tensor full(const Shape& shape, double value, const TensorOptions& options) {
  Tensor result = empty(shape, options);
  launch(options.device,
         Fill{.y = result.writable(), .kind = FillKind::constant, .a = value, .state = {}});
  return result;
}

Tensor zeros(const Shape& shape, const TensorOptions& options) {
  return full(shape, 0, options);
}

void copy_into(Tensor& to, const Tensor& from) {
  check(to.shape() == from.shape(), "copy: shapes ", to.shape(), " and ", from.shape(), " differ");
  check_no_gradient("copy_into", {from});
  if (to.device() == from.device()) {
    launch(to.device(), Copy{from.view(), to.writable()});
    return;
  }
  // Between devices bytes travel as they are, so both sides are made alike first.
  Tensor source = empty(from.shape(), {to.dtype(), from.device()});
  launch(from.device(), Copy{from.view(), source.writable()});
  Tensor landed = empty(from.shape(), {to.dtype(), to.device()});
  synchronize(from.device());
  transfer(landed.writable().data, to.device(), source.view().data, from.device(),
           static_cast<size_t>(from.numel()) * size_of(to.dtype()));
  launch(to.device(), Copy{landed.view(), to.writable()});
}

}  // namespace burin
