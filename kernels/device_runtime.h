#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "burin/kernels/base/stream.h"

namespace burin {

/// Memory, copies and streams of one kind of device. The CPU's is built in; a plug-in brings its
/// own.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime();

  /// Devices of this kind in the machine.
  virtual int count() const = 0;
  /// One line for people: name, memory, capability.
  virtual std::string describe(int index) const = 0;

  /// At least `bytes` bytes aligned to 64. Throws OutOfMemory.
  virtual void* allocate(int index, size_t bytes) = 0;
  virtual void free(int index, void* data) noexcept = 0;

  virtual std::unique_ptr<Stream> make_stream(int index) = 0;
  /// Copies in stream order between this kind's memory and the host's, or within either.
  /// The host side may be reused when synchronize() has returned.
  virtual void copy(Stream& stream, void* to, Device to_device, const void* from,
                    Device from_device, size_t bytes) = 0;
  /// Returns when all work queued on the stream has ended.
  virtual void synchronize(Stream& stream) = 0;
};

/// The host: malloc, memcpy, one stream that runs at once.
std::shared_ptr<DeviceRuntime> make_cpu_runtime();

/// The runtime of `device`. Throws Error if that kind is not there, with the reason its family
/// gave.
DeviceRuntime& runtime_of(Device device);

}  // namespace burin
