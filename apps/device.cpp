#include "burin/apps/device.h"

#include "burin/apps/exit.h"
#include "burin/kernels/device_runtime.h"
#include "burin/kernels/plugin.h"

namespace burin::apps {

Device choose_device(const std::string& text) {
  if (text == "auto") {
    return registry().device(DeviceKind::cuda) != nullptr ? Device::cuda() : Device::cpu();
  }
  const Device device = [&] {
    try {
      return Device::parse(text);
    } catch (const Error&) {
      throw Failure(exit_usage, "--device: '" + text +
                                    "' is none of auto, cpu, cuda, cuda:N, emulator, emulator:N");
    }
  }();
  if (registry().device(device.kind) == nullptr) {
    throw Failure(exit_no_device,
                  str("--device ", text, ": ", why_family_is_missing(name_of(device.kind))),
                  "--device auto takes what is there, --device cpu always works");
  }
  try {
    runtime_of(device);
  } catch (const Error& error) {
    throw Failure(exit_no_device, error.what(),
                  device.kind == DeviceKind::emulator
                      ? "BURIN_EMULATOR_DEVICES=N emulates N devices"
                      : "burin info --system lists the devices");
  }
  return device;
}

}  // namespace burin::apps
