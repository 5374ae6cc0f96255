#include "burin/tensor/context.h"

#include <map>
#include <memory>

#include "burin/kernels/base/error.h"
#include "burin/kernels/device_runtime.h"

namespace burin {
namespace {

struct ThreadContext {
  struct PerDevice {
    std::unique_ptr<Stream> own, uploads;
    Stream* current = nullptr;
  };
  std::map<std::pair<DeviceKind, int>, PerDevice> devices;
  bool grad_enabled = true;
  RecordedWrites* recorded_writes = nullptr;

  Stream*& current(Device device) {
    PerDevice& entry = devices[{device.kind, device.index}];
    if (entry.current == nullptr) {
      entry.own = runtime_of(device).make_stream(device.index);
      entry.current = entry.own.get();
    }
    return entry.current;
  }
};

ThreadContext& context() {
  thread_local ThreadContext instance;
  return instance;
}

}  // namespace

Stream& current_stream(Device device) {
  return *context().current(device);
}

Stream& upload_stream(Device device) {
  std::unique_ptr<Stream>& stream = context().devices[{device.kind, device.index}].uploads;
  if (!stream) stream = runtime_of(device).make_stream(device.index);
  return *stream;
}

StreamGuard::StreamGuard(Stream& stream)
    : previous_(&current_stream(stream.device())), device_(stream.device()) {
  context().current(device_) = &stream;
}

StreamGuard::~StreamGuard() {
  context().current(device_) = previous_;
}

RecordedWrites* recorded_writes() {
  return context().recorded_writes;
}

RecordingGuard::RecordingGuard(RecordedWrites& writes) {
  check(context().recorded_writes == nullptr, "recording: this thread's work is recorded already");
  context().recorded_writes = &writes;
}
RecordingGuard::~RecordingGuard() {
  context().recorded_writes = nullptr;
}

void synchronize(Device device) {
  runtime_of(device).synchronize(current_stream(device));
}

bool grad_enabled() {
  return context().grad_enabled;
}

NoGradGuard::NoGradGuard() : previous_(context().grad_enabled) {
  context().grad_enabled = false;
}
NoGradGuard::~NoGradGuard() {
  context().grad_enabled = previous_;
}

}  // namespace burin
