#include "burin/kernels/device_runtime.h"

#include <cstdlib>
#include <cstring>
#include <thread>

#include "burin/kernels/base/host_memory.h"
#include "burin/kernels/host_addresses.h"
#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"

namespace burin {

Recording::~Recording() = default;
Mark::~Mark() = default;
GrowingMemory::~GrowingMemory() = default;
DeviceRuntime::~DeviceRuntime() = default;

size_t DeviceRuntime::free_bytes(int /*index*/) const {
  return 0;
}

std::unique_ptr<GrowingMemory> DeviceRuntime::growing_memory(int /*index*/) {
  return nullptr;
}

int64_t DeviceRuntime::host_waits(int /*index*/) const {
  return 0;
}

std::shared_ptr<Mark> DeviceRuntime::mark(Stream& stream) {
  synchronize(stream);
  return std::make_shared<Mark>();
}
void DeviceRuntime::wait(Mark& /*mark*/) {}

void DeviceRuntime::order(Stream& /*later*/, Stream& earlier) {
  synchronize(earlier);
}

void* DeviceRuntime::allocate_host(size_t bytes) {
  return allocate_host_memory(bytes);
}
void DeviceRuntime::free_host(void* data) noexcept {
  std::free(data);
}
bool DeviceRuntime::is_pinned(const void* /*data*/) const {
  return false;
}

void DeviceRuntime::begin_recording(Stream& stream) {
  fail("device: ", stream.device(), " can't record work to replay it");
}
std::shared_ptr<Recording> DeviceRuntime::end_recording(Stream& stream) {
  fail("device: ", stream.device(), " can't record work to replay it");
}
void DeviceRuntime::replay(Recording& /*recording*/, Stream& stream) {
  fail("device: ", stream.device(), " can't replay work");
}

void DeviceRuntime::begin_range(const std::string& /*name*/) {}
void DeviceRuntime::end_range() {}

namespace {

class CpuRuntime final : public DeviceRuntime {
 public:
  int count() const override { return 1; }
  std::string describe(int /*index*/) const override {
    return str("cpu, ", std::thread::hardware_concurrency(), " cores");
  }
  void* allocate(int /*index*/, size_t bytes) override { return allocate_host_memory(bytes); }
  void free(int /*index*/, void* data) noexcept override { std::free(data); }
  std::unique_ptr<GrowingMemory> growing_memory(int /*index*/) override {
    return reserve_host_addresses();
  }

  std::unique_ptr<Stream> make_stream(int /*index*/) override {
    return std::make_unique<Stream>(Device::cpu());
  }
  void copy(Stream& /*stream*/, void* to, Device /*to_device*/, const void* from,
            Device /*from_device*/, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void synchronize(Stream& /*stream*/) override {}
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_cpu_runtime() {
  return std::make_shared<CpuRuntime>();
}

DeviceRuntime& runtime_of(Device device) {
  DeviceRuntime* const runtime = registry().device(device.kind);
  if (runtime == nullptr) {
    fail("device: ", device, " is not available: ", why_family_is_missing(name_of(device.kind)));
  }
  const int count = runtime->count();
  check(device.index >= 0 && device.index < count, "device: ", device, " is not available: there ",
        count == 1 ? "is " : "are ", count, " of this kind");
  return *runtime;
}

}  // namespace burin
