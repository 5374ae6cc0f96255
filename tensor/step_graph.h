#pragma once

#include <functional>
#include <memory>

#include "burin/kernels/device_runtime.h"
#include "burin/tensor/context.h"

namespace burin {

class CachingAllocator;

/// A training step that is recorded once and then queued as a whole, which costs the host one call
/// instead of one per kernel.
///
///   for (int i = 0; i < 2; ++i) step();              // eager: makes plans, moments, buffers
///   StepGraph graph(device, step);                   // recorded, not run
///   for (…) { copy_into(x, batch); graph.replay(); }  // reads x where it read it before
///
/// A replay repeats kernels with the pointers and values they were recorded with. So what changes
/// from step to step has to lie in device memory that stays where it is: inputs, learning rate,
/// step count, the state of random numbers. What the step does on the host (counting, logging) does
/// not happen again; it may not wait for the device or read from the host's memory.
/// Tensors that the step makes and leaves behind (gradients, the loss) are written again at each
/// replay.
class StepGraph {
 public:
  /// Whether a device can record.
  static bool is_possible(Device device);

  /// Records what `step` queues on this thread's stream of `device`. Throws Error if the device
  /// can't record, and what `step` throws.
  StepGraph(Device device, const std::function<void()>& step);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Queues the step on the stream that it was recorded on, and returns. Packed copies and recorded
  /// graphs notice what it writes as they notice any write.
  void replay();

 private:
  void record(const std::function<void()>& step);

  Device device_;
  Stream& stream_;
  std::shared_ptr<CachingAllocator> allocator_;
  std::shared_ptr<Recording> recording_;
  RecordedWrites writes_;
};

}  // namespace burin
