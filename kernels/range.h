#pragma once

#include <string_view>

#include "burin/kernels/base/device.h"

namespace burin {

class DeviceRuntime;

/// Names what this thread queues on a device while it lives: with BURIN_NVTX=1 Nsight Systems shows
/// a step's phases and ops by their names, above their kernels. Otherwise it costs a comparison.
class Range {
 public:
  Range(Device device, std::string_view name)
      : runtime_(wanted() ? begin(device, name) : nullptr) {}
  ~Range() {
    if (runtime_ != nullptr) end(*runtime_);
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  static bool wanted();
  static DeviceRuntime* begin(Device device, std::string_view name);
  static void end(DeviceRuntime& runtime);

  DeviceRuntime* runtime_;
};

}  // namespace burin
