#include "burin/kernels/base/device.h"

#include <charconv>

#include "burin/kernels/base/error.h"

namespace burin {

Device Device::parse(std::string_view text) {
  if (text == "cpu") return cpu();
  if (text == "emulator") return emulator();
  if (text == "cuda") return cuda();
  if (text.starts_with("cuda:")) {
    const std::string_view digits = text.substr(5);
    int index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0) {
      return cuda(index);
    }
  }
  fail("device: '", text, "' is none of cpu, cuda, cuda:N, emulator");
}

std::string_view name_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::cpu:
      return "cpu";
    case DeviceKind::cuda:
      return "cuda";
    case DeviceKind::emulator:
      return "emulator";
  }
  return "unknown device";
}

std::ostream& operator<<(std::ostream& out, Device device) {
  out << name_of(device.kind);
  return device.kind == DeviceKind::cuda ? out << ':' << device.index : out;
}

}  // namespace burin
