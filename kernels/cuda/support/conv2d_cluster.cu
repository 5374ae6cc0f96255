// Convolution of 16-bit elements in nhwc as a matrix product on tensor cores whose sum along k is
// divided among the blocks of a cluster (gemm_cluster.h): `cluster`, forward for an image or two.
#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_cluster.h"

namespace burin::cuda {
namespace {

struct Cluster {
  static constexpr const char* name = "cuda/cluster";

  static Refusal refuses(const Context& /*context*/) { return ""; }
  template <class Product>
  static void launch(const Product& product, int64_t M, int64_t N, int64_t K, int64_t count,
                     Stream& stream) {
    launch_cluster(product, M, N, K, count, stream);
  }
};

}  // namespace

void register_conv2d_cluster(Registry& registry) {
  Conv2dRungs<Cluster>::add_forward(registry, not_yet_run);
}

}  // namespace burin::cuda
