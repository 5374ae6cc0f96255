#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "burin/kernels/device_runtime.h"
#include "burin/kernels/emulator/device_memory.h"
#include "burin/kernels/emulator/dialect/launch.h"
#include "burin/kernels/emulator/order.h"

namespace burin::emulator {

using Task = std::function<void()>;

/// Tasks that were recorded instead of run.
struct Tape final : Recording {
  std::vector<Task> tasks;
};

}  // namespace burin::emulator

/// A stream of an emulated device: work in order, run at once or, to show a synchronisation that
/// is missing, as late as can be.
struct CUstream_st {
  int device = 0;
  burin::emulator::Order order = burin::emulator::Order::forward;
  bool late = false;
  std::deque<burin::emulator::Task> pending;
  uint64_t queued = 0, done = 0;
  std::shared_ptr<burin::emulator::Tape> tape;  // while it records
};

namespace burin::emulator {

/// The emulated devices: their memories, their streams, and the one lock under which all of it is
/// used: devices take turns.
class Machine {
 public:
  std::recursive_mutex lock;

  /// Each device's own, made at first use. The caller holds the lock, here and below.
  DeviceMemory& memory(int device);
  bool has_several_memories() const { return memories_.size() > 1; }
  /// The device among whose addresses this one is, or -1.
  int owner_of(const void* address) const;

  void add(cudaStream_t stream);
  /// Ends the stream's work and forgets it.
  void remove(cudaStream_t stream) noexcept;

  /// Runs, keeps or records the task, as the stream is set. A null stream runs it at once.
  void submit(cudaStream_t stream, Task task);
  /// Runs what is pending on the stream, up to its task number `last`. A stream that was removed
  /// has nothing pending.
  void run_until(cudaStream_t stream, uint64_t last);
  /// Whether run_until() would have nothing to do.
  bool has_done(cudaStream_t stream, uint64_t last);
  /// Runs all that is pending on the device. What fails is kept for rethrow(): a device's memory
  /// can always be given back.
  void drain(int device) noexcept;
  /// To be called when memory of the device is given back, which no recording allows meanwhile.
  void note_free(int device) noexcept;
  /// Throws what a drain of the device met, or note_free() did, once.
  void rethrow(int device);

 private:
  void finish(cudaStream_t stream) noexcept;

  std::map<int, DeviceMemory> memories_;
  std::set<cudaStream_t> streams_;
  std::map<int, std::exception_ptr> failures_;  // by device
};

Machine& machine();

}  // namespace burin::emulator
