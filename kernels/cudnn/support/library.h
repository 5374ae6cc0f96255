#pragma once

#include <cudnn.h>

#include <memory>
#include <string_view>
#include <type_traits>

#include "burin/kernels/base/stream.h"
#include "burin/kernels/base/view.h"

namespace burin::cudnn {

/// Throws Error with cuDNN's words and the caller's place unless `status` is success.
void cudnn_check(cudnnStatus_t status, Where where = Where::current());

/// Null if cuDNN can be used, else why not, in words.
const char* why_unavailable();

/// cuDNN's handle: state of a stream, whose queue it works on.
struct Handle {
  static constexpr std::string_view name = "cudnn handle";
  cudnnHandle_t handle = nullptr;

  Handle() = default;
  ~Handle() {
    if (handle != nullptr) cudnnDestroy(handle);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

/// The handle of a stream, made at first use; the stream's GPU becomes the thread's current one.
cudnnHandle_t handle_of(Stream& stream);

/// f32, bf16 or f16.
cudnnDataType_t data_type_of(DType dtype);

/// A tensor descriptor of the classic API for up to four dimensions; missing ones become 1.
class TensorDescriptor {
 public:
  explicit TensorDescriptor(const ConstView& view);
  /// [1, C, 1, 1] f32: what a batch norm keeps by channel.
  static TensorDescriptor by_channel(int64_t C);
  operator cudnnTensorDescriptor_t() const {  // NOLINT(google-explicit-constructor)
    return held_.get();
  }

 private:
  using Held = std::remove_pointer_t<cudnnTensorDescriptor_t>;
  std::shared_ptr<Held> held_;
};

/// Why views can't be handed to cuDNN, or empty: dtype, and dimensions that fit an int.
std::string refuse_view(const ConstView& view);

}  // namespace burin::cudnn
