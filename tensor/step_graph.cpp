#include "burin/tensor/step_graph.h"

#include <algorithm>
#include <memory>

#include "burin/kernels/device_runtime.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/storage.h"

namespace burin {
namespace {

/// Leaves one handle on each storage that still lives.
void keep_distinct(std::vector<std::weak_ptr<Storage>>& writes) {
  // By owner, not by address: an order that holds even if another thread drops one meanwhile.
  const std::owner_less<std::weak_ptr<Storage>> before;
  std::sort(writes.begin(), writes.end(), before);
  writes.erase(std::unique(writes.begin(), writes.end(),
                           [&](const auto& a, const auto& b) { return !before(a, b); }),
               writes.end());
  std::erase_if(writes, [](const auto& w) { return w.expired(); });
}

}  // namespace

bool StepGraph::is_possible(Device device) {
  return runtime_of(device).can_record();
}

StepGraph::StepGraph(Device device, const std::function<void()>& step)
    : device_(device),
      stream_(current_stream(device)),
      allocator_(allocator_of(device)),
      writes_{device} {
  check(is_possible(device), "step_graph: ", device, " can't record work to replay it");
  allocator_->begin_pool(this, stream_);
  try {
    record(step);
  } catch (...) {
    allocator_->end_pool(stream_);
    allocator_->dissolve_pool(this, stream_);
    throw;
  }
  allocator_->end_pool(stream_);
  keep_distinct(writes_.storages);
  std::erase_if(writes_.copies, [](const auto& copy) { return !copy->is_current(); });
}

StepGraph::~StepGraph() {
  allocator_->dissolve_pool(this, stream_);
}

void StepGraph::record(const std::function<void()>& step) {
  DeviceRuntime& runtime = runtime_of(device_);
  const RecordingGuard guard(writes_);
  runtime.begin_recording(stream_);
  try {
    step();
  } catch (...) {
    try {
      runtime.end_recording(stream_);  // half a step: nobody shall replay it
    } catch (const Error&) {           // what the step threw says more
    }
    throw;
  }
  recording_ = runtime.end_recording(stream_);
}

void StepGraph::replay() {
  for (const std::weak_ptr<Storage>& written : writes_.storages) {
    if (const auto storage = written.lock()) storage->bump_version();
  }
  runtime_of(device_).replay(*recording_, stream_);
  for (const std::shared_ptr<CopyWrittenAlong>& copy : writes_.copies) copy->set_current();
}

}  // namespace burin
