// The handwritten CUDA kernels as a family, with the GPUs they run on.
#include "burin/kernels/cuda/support/runtime.h"
#include "burin/kernels/plugin.h"

namespace burin {
void register_cuda(Registry& registry);  // generated

namespace {

void add_implementations(Registry& registry) {
  registry.add_device(DeviceKind::cuda, cuda::make_runtime());
  register_cuda(registry);
}

}  // namespace
}  // namespace burin

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "cuda", burin::cuda::why_unavailable,
          burin::add_implementations};
}
