#include "burin/kernels/cuda/support/capability.h"

#include <map>
#include <mutex>

#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {
namespace {

/// Compiled as all kernels of this folder are.
__global__ void any_kernel() {}

int ask_code_capability(int device) {
  check_launch(cudaSetDevice(device), Where::current());
  cudaFuncAttributes attributes{};
  check_launch(cudaFuncGetAttributes(&attributes, any_kernel), Where::current());
  return attributes.ptxVersion;
}

/// The GPU's own.
int capability_of(int device) {
  int major = 0, minor = 0;
  check_launch(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
               Where::current());
  check_launch(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
               Where::current());
  return 10 * major + minor;
}

std::string text_of(int capability) {
  return str(capability / 10, '.', capability % 10);
}

}  // namespace

int code_capability(int device) {
  static std::mutex mutex;
  static std::map<int, int> known;  // asked once for each GPU
  const std::lock_guard lock(mutex);
  const auto found = known.find(device);
  return found != known.end() ? found->second
                              : known.emplace(device, ask_code_capability(device)).first->second;
}

std::string gpu_refuses(int device) {
  constexpr int compiled_for[] = {__CUDA_ARCH_LIST__};  // in rising order, as 900
  const int has = capability_of(device), oldest = compiled_for[0] / 10;
  if (has >= oldest) return "";
  return str("the GPU's capability is ", text_of(has), ", the kernels were compiled for ",
             text_of(oldest), " and later; -DCMAKE_CUDA_ARCHITECTURES=", has,
             " builds them for it");
}

std::string clusters_refuse(Device device) {
  const int runs = code_capability(device.index);
  return runs >= hopper ? ""
                        : str("clusters need code for 9.0, the GPU runs that for ", text_of(runs));
}

std::string wgmma_refuses(Device device) {
  const int has = capability_of(device.index);
  return has == hopper ? "" : str("the GPU's capability is ", text_of(has), ", wgmma needs 9.0");
}

}  // namespace burin::cuda
