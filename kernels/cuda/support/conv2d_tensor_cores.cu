// Convolution of 16-bit elements in nhwc as a matrix product on tensor cores, any GPU's
// (gemm_tensor_cores.h). conv2d_warpgroup.cu has the same with Hopper's instructions.
//   tensor_cores  channels in multiples of 8
//   stem          any channels (an image's three): x and w are copied with channels padded to a
//                 multiple of 8 first; forward and backward_weight
//   matmul        1×1 with stride 1: a plain matrix product (matmul.cu)
#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_tensor_cores.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

/// Copies rows of `channels` elements into rows of `padded`, the rest zeros: one packet a thread.
template <class T>
__global__ void conv2d_pad_channels(const T* from, T* to, int64_t rows, int channels, int padded) {
  const int packets = padded / 8;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * packets) return;
  const int64_t row = i / packets;
  const int first = static_cast<int>(i % packets) * 8;
  Packet<T> out;
  for (int c = 0; c < 8; ++c) {
    out.at[c] = first + c < channels ? from[row * channels + first + c] : T(0.0f);
  }
  *reinterpret_cast<Packet<T>*>(to + row * padded + first) = out;
}

struct TensorCores {
  static constexpr const char* name = "cuda/tensor_cores";
  static constexpr const char* stem_name = "cuda/stem";
  static constexpr const char* matmul_name = "cuda/matmul";

  static Refusal refuses(const Context& /*context*/) { return ""; }
  template <class Product>
  static void launch(const Product& product, int64_t M, int64_t N, int64_t count, Stream& stream) {
    launch_tensor_cores(product, M, N, count, stream);
  }
  static PixelSplit split(int64_t pixels, int64_t M, int64_t N, Device /*device*/) {
    const int64_t columns = N > 64 ? 128 : 64;
    return PixelSplit::of(pixels, (M + 127) / 128 * ((N + columns - 1) / columns));
  }
  static void multiply(const Matmul& op, Stream& stream) { matmul_tensor_cores(op, stream); }
};

}  // namespace

void pad_channels(const ConstView& from, void* to, Stream& stream) {
  const int channels = static_cast<int>(from.dim(1)), wide = round_up_8(channels);
  const int64_t rows = from.dim(0) * from.dim(2) * from.dim(3);
  const auto run = [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(conv2d_pad_channels<T>, {blocks_for(rows * (wide / 8), 256), 256, 0, stream},
           from.as<T>(), static_cast<T*>(to), rows, channels, wide);
  };
  if (from.dtype == DType::bf16) {
    run(TypeTag<__nv_bfloat16>{});
  } else {
    run(TypeTag<__half>{});
  }
}

void register_conv2d_tensor_cores(Registry& registry) {
  Conv2dRungs<TensorCores>::add_all(registry);
}

}  // namespace burin::cuda
