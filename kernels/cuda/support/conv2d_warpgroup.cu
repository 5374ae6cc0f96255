// conv2d_tensor_cores.cu with Hopper's matrix instructions (gemm_warpgroup.h), for 16-bit elements
// in nhwc: `warpgroup`, and the forms `stem_warpgroup` and `matmul_warpgroup`. Compiled for sm_90a.
#include <limits>

#include "burin/kernels/cuda/support/conv2d_tensor_rungs.h"
#include "burin/kernels/cuda/support/gemm_warpgroup.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

struct Warpgroup {
  static constexpr const char* name = "cuda/warpgroup";
  static constexpr const char* stem_name = "cuda/stem_warpgroup";
  static constexpr const char* matmul_name = "cuda/matmul_warpgroup";

  static Refusal refuses(const Context& context) { return wgmma_refuses(context.stream.device()); }
  template <class Product>
  static void launch(const Product& product, int64_t M, int64_t N, int64_t K, int64_t count,
                     Stream& stream) {
    launch_warpgroup(product, M, N, K, count, stream);
  }
  /// The split that takes the least time: more parts fill the GPU better, but begin and end more
  /// often, and their sums go to memory and back.
  static PixelSplit split(int64_t pixels, int64_t M, int64_t N, Device device) {
    constexpr int64_t shortest = 512;
    constexpr int64_t sums_a_ns = 500;  // 8 bytes each, to memory and back; an H200's
    const int multiprocessors = multiprocessors_of(device);
    PixelSplit best{};
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int64_t parts = 1; parts <= multiprocessors && (parts - 1) * shortest < pixels; ++parts) {
      const PixelSplit split = PixelSplit::in(pixels, parts);
      const WarpgroupWork work{M, N, split.pixels, split.count, true, multiprocessors};
      const int64_t products =
          with_warpgroup_block(work, [](auto /*block*/, int64_t cost) { return cost; });
      const int64_t all = products + split.count * M * N / sums_a_ns;
      if (all < least) best = split;
      least = std::min(least, all);
    }
    return best;
  }
  static void multiply(const Matmul& op, Stream& stream) { matmul_warpgroup(op, stream); }
};

}  // namespace

void register_conv2d_warpgroup(Registry& registry) {
  Conv2dRungs<Warpgroup>::add_all(registry);
}

}  // namespace burin::cuda
