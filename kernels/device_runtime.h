#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "burin/kernels/base/stream.h"

namespace burin {

/// Work of one stream that was recorded instead of run, to be queued again as a whole.
class Recording {
 public:
  virtual ~Recording();
};

/// A place in a stream's queue, to be waited for later.
class Mark {
 public:
  virtual ~Mark();
};

/// One block of a device's memory that grows and shrinks at its end and never moves.
class GrowingMemory {
 public:
  virtual ~GrowingMemory();
  virtual std::byte* data() const = 0;
  /// Makes the first `bytes` bytes usable; what was behind them is given back. False, and all is as
  /// it was, when the device or the addresses behind the block have no room.
  virtual bool resize(size_t bytes) noexcept = 0;
};

/// Memory, copies and streams of one kind of device. The CPU's is built in; a plug-in brings its
/// own. What has a default here, a kind of device may leave out.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime();

  /// Devices of this kind in the machine.
  virtual int count() const = 0;
  /// One line for people: name, memory, capability.
  virtual std::string describe(int index) const = 0;
  /// How much memory could be allocated now, about; 0 where nobody knows.
  virtual size_t free_bytes(int index) const;

  /// At least `bytes` bytes aligned to 64. Throws OutOfMemory.
  virtual void* allocate(int index, size_t bytes) = 0;
  virtual void free(int index, void* data) noexcept = 0;
  /// An empty block that can grow, or null (the default) where memory comes in fixed pieces only.
  virtual std::unique_ptr<GrowingMemory> growing_memory(int index);

  virtual std::unique_ptr<Stream> make_stream(int index) = 0;
  /// Copies in stream order between this kind's memory and the host's, or within either.
  /// Ordinary host memory that is read may be reused at once; pinned memory, and what is written,
  /// when synchronize() has returned.
  virtual void copy(Stream& stream, void* to, Device to_device, const void* from,
                    Device from_device, size_t bytes) = 0;
  /// Returns when all work queued on the stream has ended.
  virtual void synchronize(Stream& stream) = 0;
  /// How often the host has waited for a stream of the device: a step in a steady loop leaves it as
  /// it is.
  virtual int64_t host_waits(int index) const;
  /// The end of what is queued on the stream now. The default waits for it at once.
  virtual std::shared_ptr<Mark> mark(Stream& stream);
  /// Returns when all that was queued before the mark has ended. Counts as a wait unless it has.
  virtual void wait(Mark& mark);
  /// What is queued on `later` from now on starts when all that is queued on `earlier` has ended.
  /// The default waits on the host.
  virtual void order(Stream& later, Stream& earlier);

  /// Host memory that copies read and write in place, while the host goes on (pinned). The caller
  /// keeps it until synchronize(). The default is ordinary memory. Throws OutOfMemory.
  virtual void* allocate_host(size_t bytes);
  virtual void free_host(void* data) noexcept;
  /// Whether copies read and write this host memory in place. The default: never.
  virtual bool is_pinned(const void* data) const;

  /// Whether work can be recorded. The three below throw Error where it can't.
  virtual bool can_record() const { return false; }
  /// From now on what is queued on the stream is recorded and not run. In between, neither memory
  /// of the device may be given back nor a stream be waited for.
  virtual void begin_recording(Stream& stream);
  virtual std::shared_ptr<Recording> end_recording(Stream& stream);
  /// Queues all of it, with the pointers and values it was recorded with.
  virtual void replay(Recording& recording, Stream& stream);

  /// Names what this thread queues from here to end_range(), for a profiler. They nest.
  virtual void begin_range(const std::string& name);
  virtual void end_range();
};

/// The host: malloc, memcpy, one stream that runs at once.
std::shared_ptr<DeviceRuntime> make_cpu_runtime();

/// The runtime of `device`. Throws Error if that kind is not there, with the reason its family
/// gave.
DeviceRuntime& runtime_of(Device device);

}  // namespace burin
