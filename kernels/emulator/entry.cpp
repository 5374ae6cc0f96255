// The handwritten CUDA kernels, compiled by the host compiler, and the device that runs them.
#include "burin/kernels/emulator/runtime.h"
#include "burin/kernels/plugin.h"

namespace burin {
void register_cuda(Registry& registry);  // generated from kernels/cuda

namespace {

void add_implementations(Registry& registry) {
  registry.add_device(DeviceKind::emulator, emulator::make_runtime());
  register_cuda(registry);
}

}  // namespace
}  // namespace burin

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "emulator", nullptr, burin::add_implementations};
}
