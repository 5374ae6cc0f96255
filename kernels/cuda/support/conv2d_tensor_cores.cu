// Convolution of 16-bit elements in nhwc as a matrix product on tensor cores, any GPU's
// (gemm_tensor_cores.h). conv2d_warpgroup.cu has the same with Hopper's instructions.
//   tensor_cores  channels in multiples of 8
//   stem          any channels (an image's three): of x and w padded copies are made first
//                 (conv2d_stem.h); forward and backward_weight
//   matmul        1×1 with stride 1: a plain matrix product (matmul.cu)
#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_tensor_cores.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

struct TensorCores {
  static constexpr const char* name = "cuda/tensor_cores";
  static constexpr const char* stem_name = "cuda/stem";
  static constexpr const char* matmul_name = "cuda/matmul";

  static Refusal refuses(const Context& /*context*/) { return ""; }
  template <class Product>
  static void launch(const Product& product, int64_t M, int64_t N, int64_t /*K*/, int64_t count,
                     Stream& stream) {
    launch_tensor_cores(product, M, N, count, stream);
  }
  static PixelSplit split(int64_t pixels, int64_t M, int64_t N, Device /*device*/) {
    const int64_t columns = N > 64 ? 128 : 64;
    return PixelSplit::of(pixels, (M + 127) / 128 * ((N + columns - 1) / columns));
  }
  static void multiply(const Matmul& op, Stream& stream) { matmul_tensor_cores(op, stream); }
};

}  // namespace

void register_conv2d_tensor_cores(Registry& registry) {
  Conv2dRungs<TensorCores>::add_all(registry);
}

}  // namespace burin::cuda
