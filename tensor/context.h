#pragma once

#include <memory>
#include <vector>

#include "burin/kernels/base/stream.h"

namespace burin {

class Storage;

/// What is explicit in kernels and implicit above them; all of it belongs to the calling thread.

/// The stream that this thread's ops on `device` are queued on. Made at first use.
Stream& current_stream(Device device);

/// A second stream of this thread, for what travels while current_stream(device) computes. Where
/// the two meet is for DeviceRuntime::order() to say. Made at first use.
Stream& upload_stream(Device device);

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

/// A copy of a content in another dtype, which a recorded step writes along with the content.
class CopyWrittenAlong {
 public:
  virtual ~CopyWrittenAlong() = default;
  /// Whether it is what the content is. Where a recording ends like that, each replay does.
  virtual bool is_current() const = 0;
  /// It is: a replay has written both.
  virtual void set_current() = 0;
};

/// What is written while a thread's work is being recorded (tensor/step_graph.h): each replay
/// writes it again. Contents have no names meanwhile: a copy of a weight that was packed before
/// would be missing from the recording.
struct RecordedWrites {
  Device device;  // whose work it is; of another GPU's nothing would be repeated
  std::vector<std::weak_ptr<Storage>> storages = {};
  std::vector<std::shared_ptr<CopyWrittenAlong>> copies = {};
};

/// Null, unless this thread's work is being recorded.
RecordedWrites* recorded_writes();

/// The thread's work counts as recorded while it lives. Throws Error if it does already.
class RecordingGuard {
 public:
  explicit RecordingGuard(RecordedWrites& writes);
  ~RecordingGuard();
  RecordingGuard(const RecordingGuard&) = delete;
  RecordingGuard& operator=(const RecordingGuard&) = delete;
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
