#pragma once

#include "burin/kernels/base/stream.h"

namespace burin {

/// What is explicit in kernels and implicit above them; all of it belongs to the calling thread.

/// The stream that this thread's ops on `device` are queued on. Made at first use.
Stream& current_stream(Device device);

/// Queues this thread's ops on another stream while it lives.
class StreamGuard {
 public:
  explicit StreamGuard(Stream& stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Stream* previous_;
  Device device_;
};

/// Waits until the work queued by this thread on `device` has ended.
void synchronize(Device device);

/// Whether ops record themselves for backward. True unless a NoGradGuard lives.
bool grad_enabled();

/// Nothing is recorded while it lives: for evaluation, and for optimisers.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};

}  // namespace burin
