#pragma once

#include <deque>
#include <exception>
#include <functional>
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

/// A stream of the emulated device: work in order, run at once or, to show a synchronisation that
/// is missing, as late as can be.
struct CUstream_st {
  burin::emulator::Order order = burin::emulator::Order::forward;
  bool late = false;
  std::deque<burin::emulator::Task> pending;
  uint64_t queued = 0, done = 0;
  std::shared_ptr<burin::emulator::Tape> tape;  // while it records
};

namespace burin::emulator {

/// The emulated device: its memory, its streams, and the lock under which all of it is used.
class Machine {
 public:
  DeviceMemory memory;
  std::recursive_mutex lock;

  void add(cudaStream_t stream);
  void remove(cudaStream_t stream);

  /// Runs, keeps or records the task, as the stream is set. A null stream runs it at once.
  void submit(cudaStream_t stream, Task task);
  /// Runs what is pending on the stream, up to its task number `last`.
  void run_until(cudaStream_t stream, uint64_t last);
  /// Runs everything. What fails is kept for rethrow(): a device's memory can always be given back.
  void drain() noexcept;
  /// Throws what a drain met, once.
  void rethrow();

 private:
  void run(const Task& task);

  std::set<cudaStream_t> streams_;
  std::exception_ptr failure_;
};

Machine& machine();

}  // namespace burin::emulator
