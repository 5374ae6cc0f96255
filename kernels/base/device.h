#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace burin {

enum class DeviceKind : uint8_t {
  cpu,
  cuda,
  emulator,  // the CUDA kernels, run on the CPU
};

/// Where a tensor's memory lies and its kernels run.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;

  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {DeviceKind::cuda, index}; }
  static Device emulator(int index = 0) { return {DeviceKind::emulator, index}; }
  /// Reads "cpu", "cuda", "cuda:1", "emulator" or "emulator:1". Throws Error for anything else.
  static Device parse(std::string_view text);

  bool operator==(const Device&) const = default;
};

std::string_view name_of(DeviceKind kind);
/// "cpu", "cuda:0", "emulator", "emulator:1": parse() reads them back.
std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace burin
