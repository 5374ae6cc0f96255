#pragma once

#include "burin/kernels/conv2d.h"

// The rungs of conv2d.cu that have a file of their own. Each registers its directions.

namespace burin {
class Registry;
}

namespace burin::cuda {

void register_conv2d_warpgroup(Registry& registry);
void register_conv2d_tensor_cores(Registry& registry);
void register_conv2d_cluster(Registry& registry);
void register_conv2d_depthwise(Registry& registry);
void register_conv2d_implicit_gemm(Registry& registry);

}  // namespace burin::cuda
