#include "burin/kernels/base/device.h"

#include <charconv>

#include "burin/kernels/base/error.h"

namespace burin {

Device Device::parse(std::string_view text) {
  if (text == "cpu") return cpu();
  for (const DeviceKind kind : {DeviceKind::cuda, DeviceKind::emulator}) {
    const std::string_view name = name_of(kind);
    if (text == name) return {kind, 0};
    if (!text.starts_with(name) || text[name.size()] != ':') continue;
    const std::string_view digits = text.substr(name.size() + 1);
    int index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0) {
      return {kind, index};
    }
  }
  fail("device: '", text, "' is none of cpu, cuda, cuda:N, emulator, emulator:N");
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
  const bool counted = device.kind == DeviceKind::cuda || device.index != 0;
  return counted ? out << ':' << device.index : out;
}

}  // namespace burin
