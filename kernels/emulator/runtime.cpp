#include "burin/kernels/emulator/runtime.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "burin/kernels/emulator/queue.h"

namespace burin::emulator {
namespace {

/// The stream's queue: dies with the stream.
struct OwnedQueue {
  CUstream_st queue;

  explicit OwnedQueue(int device) {
    queue.device = device;
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

/// Null for the host's memory, which is always open.
DeviceMemory* memory_of(Device device) {
  return device.kind == DeviceKind::emulator ? &machine().memory(device.index) : nullptr;
}

void copy_now(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  const OpenMemory written(memory_of(to_device));
  const OpenMemory read(memory_of(from_device));
  std::memcpy(to, from, bytes);
}

struct Reached final : Mark {
  explicit Reached(cudaStream_t stream)
      : queue(stream), device(stream->device), last(stream->queued) {}
  cudaStream_t queue;
  int device;
  uint64_t last;
};

class EmulatorRuntime final : public DeviceRuntime {
 public:
  int count() const override { return devices_from_environment(); }
  std::string describe(int /*index*/) const override {
    return "the CUDA kernels on the CPU: one block at a time, its threads as fibers";
  }

  size_t free_bytes(int index) const override {
    const std::lock_guard guard(machine().lock);
    return machine().memory(index).free_bytes();
  }

  void* allocate(int index, size_t bytes) override {
    const std::lock_guard guard(machine().lock);
    return machine().memory(index).allocate(bytes);
  }
  void free(int index, void* data) noexcept override {
    const std::lock_guard guard(machine().lock);
    machine().note_free(index);
    machine().drain(index);  // as cudaFree does
    machine().memory(index).free(data);
  }

  std::unique_ptr<Stream> make_stream(int index) override {
    const auto owner = std::make_shared<OwnedQueue>(index);
    return std::make_unique<Stream>(Device::emulator(index), &owner->queue, owner);
  }
  void copy(Stream& stream, void* to, Device to_device, const void* from, Device from_device,
            size_t bytes) override {
    if (bytes == 0) return;
    const bool upload = from_device.kind == DeviceKind::cpu && to_device.kind != DeviceKind::cpu;
    if (!upload || is_pinned(from)) {
      machine().submit(queue_of(stream),
                       [=] { copy_now(to, to_device, from, from_device, bytes); });
      return;
    }
    check(queue_of(stream)->tape == nullptr, "copy: a recorded step would read ", bytes,
          " bytes of host memory again at each replay; put them on the device before it");
    const auto* const begin = static_cast<const std::byte*>(from);
    machine().submit(queue_of(stream), [=, kept = std::vector(begin, begin + bytes)] {
      copy_now(to, to_device, kept.data(), from_device, kept.size());
    });
  }
  void synchronize(Stream& stream) override {
    check(queue_of(stream)->tape == nullptr,
          "emulator: a stream can't be waited for while its work is recorded");
    ++waits_of(queue_of(stream)->device);
    machine().run_until(queue_of(stream), queue_of(stream)->queued);
    machine().rethrow(queue_of(stream)->device);
  }
  int64_t host_waits(int index) const override { return waits_.at(static_cast<size_t>(index)); }

  std::shared_ptr<Mark> mark(Stream& stream) override {
    return std::make_shared<Reached>(queue_of(stream));
  }
  void wait(Mark& mark) override {
    const auto& reached = static_cast<const Reached&>(mark);
    if (!machine().has_done(reached.queue, reached.last)) ++waits_of(reached.device);
    machine().run_until(reached.queue, reached.last);
    machine().rethrow(reached.device);
  }

  void order(Stream& later, Stream& earlier) override {
    const cudaStream_t first = queue_of(earlier);
    machine().submit(queue_of(later),
                     [first, last = first->queued] { machine().run_until(first, last); });
  }

  void* allocate_host(size_t bytes) override {
    void* const data = DeviceRuntime::allocate_host(bytes);
    const std::lock_guard guard(machine().lock);
    pinned_[static_cast<std::byte*>(data)] = bytes;
    return data;
  }
  void free_host(void* data) noexcept override {
    const std::lock_guard guard(machine().lock);
    pinned_.erase(static_cast<std::byte*>(data));
    DeviceRuntime::free_host(data);
  }
  /// What came from allocate_host().
  bool is_pinned(const void* data) const override {
    const std::lock_guard guard(machine().lock);
    const auto* const at = static_cast<const std::byte*>(data);
    auto behind = pinned_.upper_bound(at);
    return behind != pinned_.begin() && at < (--behind)->first + behind->second;
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
  std::atomic<int64_t>& waits_of(int index) { return waits_.at(static_cast<size_t>(index)); }

  std::map<const std::byte*, size_t> pinned_;              // with the bytes of each
  std::array<std::atomic<int64_t>, max_devices> waits_{};  // by device
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_runtime() {
  machine();  // before any allocator, which gives its memory back when it dies: so it outlives them
  return std::make_shared<EmulatorRuntime>();
}

}  // namespace burin::emulator
