#include "burin/kernels/cudnn/support/library.h"

#include <cuda_runtime_api.h>

#include <array>
#include <limits>

namespace burin::cudnn {

void cudnn_check(cudnnStatus_t status, Where where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> details{};
  cudnnGetLastErrorString(details.data(), details.size());
  fail("cudnn: ", cudnnGetErrorString(status), ": ", details.data(), " at ", where.file, ':',
       where.line);
}

const char* why_unavailable() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    return "no GPU (see the cuda family)";
  }
  if (cudnnGetVersion() / 10000 != CUDNN_MAJOR) {
    return "libcudnn is of another major version than the one this was built for";
  }
  return nullptr;
}

cudnnHandle_t handle_of(Stream& stream) {
  check(cudaSetDevice(stream.device().index) == cudaSuccess, "cudnn: ", stream.device(),
        " can't be made current");
  Handle& state = stream.state<Handle>();
  if (state.handle == nullptr) {
    cudnn_check(cudnnCreate(&state.handle));
    cudnn_check(cudnnSetStream(state.handle, static_cast<cudaStream_t>(stream.native())));
  }
  return state.handle;
}

cudnnDataType_t data_type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::f16:
      return CUDNN_DATA_HALF;
    default:
      fail("cudnn: dtype ", dtype);
  }
}

TensorDescriptor::TensorDescriptor(const ConstView& view) {
  cudnnTensorDescriptor_t made = nullptr;
  cudnn_check(cudnnCreateTensorDescriptor(&made));
  held_ = std::shared_ptr<Held>(made, [](Held* held) { cudnnDestroyTensorDescriptor(held); });
  std::array<int, 4> dims = {1, 1, 1, 1};
  std::array<int, 4> strides = {1, 1, 1, 1};
  for (int i = 0; i < view.rank(); ++i) {
    dims[static_cast<size_t>(i)] = static_cast<int>(view.dim(i));
    strides[static_cast<size_t>(i)] = static_cast<int>(view.strides[i]);
  }
  cudnn_check(cudnnSetTensorNdDescriptor(held_.get(), data_type_of(view.dtype), 4, dims.data(),
                                         strides.data()));
}

TensorDescriptor TensorDescriptor::by_channel(int64_t C) {
  return TensorDescriptor(ConstView::dense(nullptr, DType::f32, {1, C, 1, 1}));
}

std::string refuse_view(const ConstView& view) {
  if (!is_floating(view.dtype)) return str("dtype ", view.dtype);
  if (view.rank() > 4) return str("rank ", view.rank());
  if (view.numel() == 0) return "an empty tensor";
  const bool fits = view.numel() <= std::numeric_limits<int>::max();
  return fits ? "" : str(view.shape, " has more elements than cuDNN's descriptors count");
}

}  // namespace burin::cudnn
