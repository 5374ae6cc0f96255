// conv2d_tensor_cores.cu with Hopper's matrix instructions (gemm_warpgroup.h), for 16-bit elements
// in nhwc: `warpgroup`, and the forms `stem_warpgroup` and `matmul_warpgroup`. Compiled for sm_90a.
#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_warpgroup.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

struct Warpgroup {
  static constexpr const char* name = "cuda/warpgroup";
  static constexpr const char* stem_name = "cuda/stem_warpgroup";
  static constexpr const char* matmul_name = "cuda/matmul_warpgroup";

  static Refusal refuses(const Context& context) { return warpgroup_refuses(context); }
  template <class Product>
  static void launch(const Product& product, int64_t M, int64_t N, int64_t count, Stream& stream) {
    launch_warpgroup(product, M, N, count, stream);
  }
  static void multiply(const Matmul& op, Stream& stream) { matmul_warpgroup(op, stream); }
};

}  // namespace

void register_conv2d_warpgroup(Registry& registry) {
  Conv2dRungs<Warpgroup>::add_all(registry);
}

}  // namespace burin::cuda
