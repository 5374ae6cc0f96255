#include "burin/kernels/cudnn/support/plan.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <limits>

namespace burin::cudnn {

ProblemKey::ProblemKey(std::string_view op) {
  add(static_cast<int64_t>(std::hash<std::string_view>{}(op)));
}

ProblemKey& ProblemKey::add(const ConstView& view) {
  add(view ? static_cast<int64_t>(view.dtype) : -1).add(view.rank());
  for (int i = 0; i < view.rank(); ++i) add(view.dim(i)).add(view.strides[i]);
  return *this;
}

namespace {

constexpr int64_t candidates = 8;  // engines asked for
/// Engines that autotuning times. Each may be compiled first, a second long; of three, a 1×1 with
/// stride 2 got one seven times as slow as the fourth.
constexpr size_t timed_engines = 6;
constexpr int timed_runs = 3;

std::vector<Descriptor> engine_configurations(const Descriptor& graph) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_A)
      .finalize();
  std::vector<Descriptor> configurations;
  std::array<cudnnBackendDescriptor_t, candidates> raw{};
  for (cudnnBackendDescriptor_t& one : raw) {
    configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    one = configurations.back().raw();
  }
  int64_t found = 0;
  cudnn_check(cudnnBackendGetAttribute(heuristics.raw(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, candidates, &found,
                                       raw.data()));
  configurations.erase(configurations.begin() + std::min(found, candidates), configurations.end());
  return configurations;
}

bool fits(const Descriptor& configuration, const EngineRules& rules) {
  const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.raw();
  int64_t count = 0;
  cudnn_check(cudnnBackendGetAttribute(configuration.raw(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw));
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  cudnn_check(cudnnBackendGetAttribute(engine.raw(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                       CUDNN_TYPE_NUMERICAL_NOTE,
                                       static_cast<int64_t>(notes.size()), &count, notes.data()));
  const auto end = notes.begin() + std::min<int64_t>(count, static_cast<int64_t>(notes.size()));
  const auto has = [&](cudnnBackendNumericalNote_t note) {
    return std::find(notes.begin(), end, note) != end;
  };
  if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  // Fast algorithms that lose digits the contract of a sum in f32 promises.
  for (const auto loses :
       {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
        CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD}) {
    if (has(loses)) return false;
  }
  return rules.tensor_cores || !has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
}

bool wants_tuning() {
  const char* const value = std::getenv("BURIN_AUTOTUNE");
  return value != nullptr && std::string_view(value) == "1";
}

void cuda_ok(cudaError_t status) {
  check(status == cudaSuccess, "cudnn: ", cudaGetErrorString(status));
}

bool is_recording(const Stream& stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cuda_ok(cudaStreamIsCapturing(static_cast<cudaStream_t>(stream.native()), &status));
  return status != cudaStreamCaptureStatusNone;
}

/// Milliseconds that the work queued by `queue` takes.
template <class Queue>
float milliseconds(cudaStream_t stream, const Queue& queue) {
  std::array<cudaEvent_t, 2> events{};
  for (cudaEvent_t& event : events) cuda_ok(cudaEventCreate(&event));
  cuda_ok(cudaEventRecord(events[0], stream));
  queue();
  cuda_ok(cudaEventRecord(events[1], stream));
  cuda_ok(cudaEventSynchronize(events[1]));
  float elapsed = 0;
  cuda_ok(cudaEventElapsedTime(&elapsed, events[0], events[1]));
  for (const cudaEvent_t event : events) cudaEventDestroy(event);
  return elapsed;
}

}  // namespace

Plan::Plan(cudnnHandle_t handle, const std::vector<Descriptor>& operations,
           const EngineRules& rules) {
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle)
      .set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations)
      .finalize();
  for (const Descriptor& configuration : engine_configurations(graph)) {
    if (!fits(configuration, rules)) continue;
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle)
        .set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    if (!plan.try_finalize()) continue;  // the heuristics had hoped for too much
    int64_t bytes = 0;
    int64_t count = 0;
    cudnn_check(cudnnBackendGetAttribute(plan.raw(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                         CUDNN_TYPE_INT64, 1, &count, &bytes));
    engines_.push_back({plan, static_cast<size_t>(bytes)});
    if (!wants_tuning() || engines_.size() == timed_engines) break;
  }
  if (engines_.empty()) refusal = "cuDNN has no engine for this problem";
}

size_t Plan::workspace_bytes() const {
  size_t most = 0;
  for (const Engine& engine : engines_) most = std::max(most, engine.workspace_bytes);
  return most;
}

void Plan::run(cudnnHandle_t handle, Stream& stream,
               const std::vector<std::pair<TensorId, const void*>>& operands, Workspace workspace) {
  std::vector<int64_t> ids;
  std::vector<void*> addresses;
  for (const auto& [id, address] : operands) {
    ids.push_back(id);
    addresses.push_back(const_cast<void*>(address));  // cuDNN writes its outputs only
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(ids))
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(addresses))
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, std::span<void* const>(&workspace.data, 1))
      .finalize();
  recorded_ = recorded_ || is_recording(stream);
  if (!tuned_ && !recorded_ && engines_.size() > 1) tune(handle, stream, pack);
  cudnn_check(cudnnBackendExecute(handle, engines_.front().plan.raw(), pack.raw()));
}

/// Outputs are written, never added to, so running an engine again changes nothing.
void Plan::tune(cudnnHandle_t handle, Stream& stream, const Descriptor& variant_pack) {
  const auto queue = static_cast<cudaStream_t>(stream.native());
  size_t best = 0;
  float best_time = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < engines_.size(); ++i) {
    const auto run_once = [&] {
      cudnn_check(cudnnBackendExecute(handle, engines_[i].plan.raw(), variant_pack.raw()));
    };
    run_once();
    const float time = milliseconds(queue, [&] {
      for (int k = 0; k < timed_runs; ++k) run_once();
    });
    if (time < best_time) {
      best = i;
      best_time = time;
    }
  }
  std::swap(engines_.front(), engines_[best]);
  engines_.erase(engines_.begin() + 1, engines_.end());
  tuned_ = true;
}

void PlanCache::make_room(Stream& stream) {
  if (is_recording(stream)) return;
  const auto droppable = [](const auto& entry) { return !entry.second.is_recorded(); };
  if (std::count_if(plans.begin(), plans.end(), droppable) < most) return;
  std::erase_if(plans, droppable);
}

}  // namespace burin::cudnn
