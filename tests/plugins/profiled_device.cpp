// A plug-in that brings a device: one with no memory and no work, that shows the ranges it is told.
#include <cstdio>

#include "burin/kernels/device_runtime.h"
#include "burin/kernels/plugin.h"

namespace burin {
namespace {

class ProfiledDevice : public DeviceRuntime {
 public:
  int count() const override { return 1; }
  std::string describe(int /*index*/) const override { return "a device that is profiled"; }
  void* allocate(int /*index*/, size_t /*bytes*/) override { fail("it has no memory"); }
  void free(int /*index*/, void* /*data*/) noexcept override {}
  std::unique_ptr<Stream> make_stream(int /*index*/) override { fail("it has no streams"); }
  void copy(Stream& /*stream*/, void* /*to*/, Device /*to_device*/, const void* /*from*/,
            Device /*from_device*/, size_t /*bytes*/) override {}
  void synchronize(Stream& /*stream*/) override {}
  void begin_range(const std::string& name) override {
    std::fprintf(stderr, "%s begins, ", name.c_str());
  }
  void end_range() override { std::fputs("one ends, ", stderr); }
};

}  // namespace
}  // namespace burin

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "profiled_device", nullptr,
          [](burin::Registry& registry) {
            registry.add_device(burin::DeviceKind::cuda, std::make_shared<burin::ProfiledDevice>());
          }};
}
