#include "burin/kernels/range.h"

#include <cstdlib>
#include <string>

#include "burin/kernels/device_runtime.h"

namespace burin {

bool Range::wanted() {
  static const bool wanted = [] {
    const char* const value = std::getenv("BURIN_NVTX");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return wanted;
}

DeviceRuntime* Range::begin(Device device, std::string_view name) {
  DeviceRuntime& runtime = runtime_of(device);
  runtime.begin_range(std::string(name));
  return &runtime;
}

void Range::end(DeviceRuntime& runtime) {
  runtime.end_range();
}

}  // namespace burin
