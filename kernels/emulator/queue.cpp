#include "burin/kernels/emulator/queue.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "burin/kernels/emulator/access_fault.h"
#include "burin/kernels/emulator/block_runner.h"
#include "burin/kernels/emulator/limits.h"
#include "burin/kernels/emulator/observer.h"

namespace burin::emulator {
namespace {

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void check_launch(const cudaLaunchConfig_t& config) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  const size_t shared_bytes = config.dynamicSmemBytes;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  check(threads >= 1 && threads <= max_threads && block.z <= 64, "launch: a block has 1 to ",
        max_threads, " threads, not ", block.x, "×", block.y, "×", block.z);
  check(grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.x <= 0x7fffffffu &&
            grid.y <= max_grid_yz && grid.z <= max_grid_yz,
        "launch: a grid of ", grid.x, "×", grid.y, "×", grid.z, " blocks is not possible");
  check(shared_bytes <= max_shared_bytes, "launch: a block has at most ", max_shared_bytes,
        " bytes of shared memory, not ", shared_bytes);
}

/// What the launch's attributes ask for. They lie on the caller's stack.
struct Wishes {
  bool overlaps = false;     // it may begin before the launch before is done
  bool cooperative = false;  // all blocks at the same time
  dim3 cluster{1, 1, 1};

  static Wishes of(const cudaLaunchConfig_t& config) {
    Wishes wishes;
    for (const cudaLaunchAttribute& attribute : std::span(config.attrs, config.numAttrs)) {
      if (attribute.id == cudaLaunchAttributeProgrammaticStreamSerialization) {
        wishes.overlaps = attribute.val.programmaticStreamSerializationAllowed != 0;
      } else if (attribute.id == cudaLaunchAttributeCooperative) {
        wishes.cooperative = attribute.val.cooperative != 0;
      } else {
        const auto& size = attribute.val.clusterDim;
        wishes.cluster = {size.x, size.y, size.z};
      }
    }
    return wishes;
  }
};

void check_cluster(const cudaLaunchConfig_t& config, dim3 cluster) {
  const dim3 grid = config.gridDim;
  const uint64_t blocks = uint64_t{cluster.x} * cluster.y * cluster.z;
  check(blocks >= 1 && blocks <= max_cluster, "launch: a cluster has 1 to ", max_cluster,
        " blocks, not ", cluster.x, "×", cluster.y, "×", cluster.z);
  check(grid.x % cluster.x == 0 && grid.y % cluster.y == 0 && grid.z % cluster.z == 0,
        "launch: clusters of ", cluster.x, "×", cluster.y, "×", cluster.z,
        " blocks do not fill a grid of ", grid.x, "×", grid.y, "×", grid.z);
}

void check_cooperative(const cudaLaunchConfig_t& config) {
  const dim3 grid = config.gridDim;
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  check(blocks <= max_cooperative, "launch: at most ", max_cooperative,
        " blocks can wait for each other, not ", blocks);
}

uint3 place_in(dim3 extents, uint64_t i) {
  return {static_cast<unsigned>(i % extents.x), static_cast<unsigned>(i / extents.x % extents.y),
          static_cast<unsigned>(i / extents.x / extents.y)};
}

void run_grid(const cudaLaunchConfig_t& config, const Wishes& wishes, Order order,
              const Task& thread) {
  BlockRunner& runner = block_runner();
  runner.begin_launch(wishes.overlaps, wishes.cooperative);
  race_check_begin(runner.interval());
  const dim3 grid = config.gridDim, cluster = wishes.cooperative ? grid : wishes.cluster;
  const dim3 across(grid.x / cluster.x, grid.y / cluster.y, grid.z / cluster.z);
  const uint64_t clusters = uint64_t{across.x} * across.y * across.z;
  std::array<uint3, std::max(max_cluster, max_cooperative)> blocks{};
  const unsigned size = cluster.x * cluster.y * cluster.z;
  for (uint64_t i = 0; i < clusters; ++i) {
    const uint3 at = place_in(across, order == Order::forward ? i : clusters - 1 - i);
    for (unsigned rank = 0; rank < size; ++rank) {
      const uint3 within = place_in(cluster, rank);
      blocks[rank] = {at.x * cluster.x + within.x, at.y * cluster.y + within.y,
                      at.z * cluster.z + within.z};
    }
    runner.run(config, std::span(blocks).first(size), order, thread);
  }
  race_check_end();
}

thread_local int current_device = 0;

}  // namespace

Order order_from_environment() {
  const std::string_view word = environment("BURIN_EMULATOR_ORDER");
  if (word == "reverse") return Order::reverse;
  if (word == "shuffled") return Order::shuffled;
  check(word.empty() || word == "forward", "BURIN_EMULATOR_ORDER: '", word,
        "' is none of forward, reverse, shuffled");
  return Order::forward;
}

bool late_streams_from_environment() {
  const std::string_view word = environment("BURIN_EMULATOR_STREAMS");
  check(word.empty() || word == "late" || word == "immediate", "BURIN_EMULATOR_STREAMS: '", word,
        "' is none of immediate, late");
  return word == "late";
}

int devices_from_environment() {
  const std::string_view word = environment("BURIN_EMULATOR_DEVICES");
  int count = 1;
  if (word.empty()) return count;
  const auto [rest, error] = std::from_chars(word.begin(), word.end(), count);
  check(error == std::errc() && rest == word.end() && count >= 1 && count <= max_devices,
        "BURIN_EMULATOR_DEVICES: '", word, "' is no number from 1 to ", max_devices);
  return count;
}

Machine& machine() {
  static Machine instance;
  return instance;
}

DeviceMemory& Machine::memory(int device) {
  return memories_.try_emplace(device, device).first->second;
}

int Machine::owner_of(const void* address) const {
  const auto owner = std::find_if(memories_.begin(), memories_.end(),
                                  [&](const auto& one) { return one.second.reserves(address); });
  return owner == memories_.end() ? -1 : owner->first;
}

void Machine::add(cudaStream_t stream) {
  const std::lock_guard guard(lock);
  streams_.insert(stream);
}

void Machine::remove(cudaStream_t stream) noexcept {
  const std::lock_guard guard(lock);
  finish(stream);
  streams_.erase(stream);
}

void Machine::submit(cudaStream_t stream, Task task) {
  const std::lock_guard guard(lock);
  if (stream == nullptr) return task();
  if (stream->tape != nullptr) {
    stream->tape->tasks.push_back(std::move(task));
    return;
  }
  ++stream->queued;
  if (stream->late) {
    stream->pending.push_back(std::move(task));
    return;
  }
  ++stream->done;
  task();
}

void Machine::run_until(cudaStream_t stream, uint64_t last) {
  const std::lock_guard guard(lock);
  while (!has_done(stream, last)) {
    const Task task = std::move(stream->pending.front());
    stream->pending.pop_front();
    ++stream->done;
    try {
      task();
    } catch (...) {
      // As on a GPU, nothing behind a failure runs: it might write to host memory that whoever was
      // waiting for it has given up.
      stream->pending.clear();
      stream->done = stream->queued;
      throw;
    }
  }
}

bool Machine::has_done(cudaStream_t stream, uint64_t last) {
  const std::lock_guard guard(lock);
  return !streams_.contains(stream) || stream->pending.empty() || stream->done >= last;
}

void Machine::finish(cudaStream_t stream) noexcept {
  try {
    run_until(stream, stream->queued);
  } catch (...) {
    failures_[stream->device] = std::current_exception();
  }
}

void Machine::drain(int device) noexcept {
  for (const cudaStream_t stream : streams_) {
    if (stream->device == device) finish(stream);
  }
}

void Machine::note_free(int device) noexcept {
  for (const cudaStream_t stream : streams_) {
    if (stream->device != device || stream->tape == nullptr) continue;
    failures_[device] = std::make_exception_ptr(
        Error("emulator: memory was given back while a stream's work was recorded"));
  }
}

void Machine::rethrow(int device) {
  const std::lock_guard guard(lock);
  std::exception_ptr& failure = failures_[device];
  if (failure != nullptr) std::rethrow_exception(std::exchange(failure, nullptr));
}

void queue_grid(const cudaLaunchConfig_t& config, Task thread) {
  const Wishes wishes = Wishes::of(config);
  check_launch(config);
  check_cluster(config, wishes.cluster);
  if (wishes.cooperative) check_cooperative(config);
  const bool has_stream = config.stream != nullptr;
  const int device = has_stream ? config.stream->device : current_device;
  check(device == current_device, "launch: the stream is one of ", Device::emulator(device),
        ", the thread's current device is ", Device::emulator(current_device));
  const Order order = has_stream ? config.stream->order : Order::forward;
  machine().submit(config.stream, [config, wishes, device, order, kept = std::move(thread)] {
    const KernelScope scope(device);
    run_grid(config, wishes, order, kept);
  });
}

}  // namespace burin::emulator

cudaError_t cudaSetDevice(int device) {
  using namespace burin;
  check(device >= 0 && device < emulator::devices_from_environment(), "cudaSetDevice: there is no ",
        Device::emulator(device));
  emulator::current_device = device;
  return cudaSuccess;
}
