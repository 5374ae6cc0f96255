#include "burin/kernels/emulator/runtime.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "burin/kernels/emulator/queue.h"

namespace burin::emulator {
namespace {

/// The stream's queue: dies with the stream.
struct OwnedQueue {
  CUstream_st queue;

  OwnedQueue() {
    queue.order = order_from_environment();
    queue.late = late_streams_from_environment();
    machine().add(&queue);
  }
  ~OwnedQueue() { machine().remove(&queue); }
  OwnedQueue(const OwnedQueue&) = delete;
  OwnedQueue& operator=(const OwnedQueue&) = delete;
};

cudaStream_t queue_of(Stream& stream) {
  return static_cast<cudaStream_t>(stream.native());
}

class EmulatorRuntime final : public DeviceRuntime {
 public:
  int count() const override { return 1; }
  std::string describe(int /*index*/) const override {
    return "the CUDA kernels on the CPU: one block at a time, its threads as fibers";
  }

  void* allocate(int /*index*/, size_t bytes) override {
    const std::lock_guard guard(machine().lock);
    return machine().memory.allocate(bytes);
  }
  void free(int /*index*/, void* data) noexcept override {
    const std::lock_guard guard(machine().lock);
    machine().drain();  // as cudaFree does
    machine().memory.free(data);
  }

  std::unique_ptr<Stream> make_stream(int /*index*/) override {
    const auto owner = std::make_shared<OwnedQueue>();
    return std::make_unique<Stream>(Device::emulator(), &owner->queue, owner);
  }
  void copy(Stream& stream, void* to, Device /*to_device*/, const void* from,
            Device /*from_device*/, size_t bytes) override {
    if (bytes == 0) return;
    machine().submit(queue_of(stream), [=] { std::memcpy(to, from, bytes); });
  }
  void synchronize(Stream& stream) override {
    check(queue_of(stream)->tape == nullptr,
          "emulator: a stream can't be waited for while its work is recorded");
    ++waits_;
    machine().run_until(queue_of(stream), queue_of(stream)->queued);
    machine().rethrow();
  }
  int64_t host_waits() const override { return waits_; }

  void order(Stream& later, Stream& earlier) override {
    const cudaStream_t first = queue_of(earlier);
    machine().submit(queue_of(later),
                     [first, last = first->queued] { machine().run_until(first, last); });
  }

  bool can_record() const override { return true; }
  void begin_recording(Stream& stream) override {
    check(queue_of(stream)->tape == nullptr, "emulator: the stream's work is recorded already");
    queue_of(stream)->tape = std::make_shared<Tape>();
  }
  std::shared_ptr<Recording> end_recording(Stream& stream) override {
    check(queue_of(stream)->tape != nullptr, "emulator: the stream's work is not recorded");
    return std::exchange(queue_of(stream)->tape, nullptr);
  }
  void replay(Recording& recording, Stream& stream) override {
    for (const Task& task : static_cast<Tape&>(recording).tasks) {
      machine().submit(queue_of(stream), task);
    }
  }

 private:
  std::atomic<int64_t> waits_{0};
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_runtime() {
  machine();  // before any allocator, which gives its memory back when it dies: so it outlives them
  return std::make_shared<EmulatorRuntime>();
}

}  // namespace burin::emulator
