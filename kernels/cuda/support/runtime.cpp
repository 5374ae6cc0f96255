#include "burin/kernels/cuda/support/runtime.h"

#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include <atomic>
#include <string_view>
#include <vector>

#include "burin/kernels/cuda/support/capability.h"
#include "burin/kernels/cuda/support/error.h"
#include "burin/kernels/cuda/support/staging.h"

namespace burin::cuda {
namespace {

/// Makes a GPU the thread's current one, and leaves it so, as a launch does: to go back to one that
/// the process has not used would open it.
void use_device(int index) {
  cuda_check(cudaSetDevice(index));
}

cudaStream_t queue_of(const Stream& stream) {
  return static_cast<cudaStream_t>(stream.native());
}

bool is_recording(cudaStream_t queue) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cuda_check(cudaStreamIsCapturing(queue, &status));
  return status != cudaStreamCaptureStatusNone;
}

struct Graph final : Recording {
  cudaGraphExec_t executable = nullptr;

  Graph() = default;
  ~Graph() override {
    if (executable != nullptr) cudaGraphExecDestroy(executable);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
};

struct Event final : Mark {
  cudaEvent_t event = nullptr;
  int device;

  explicit Event(int index) : device(index) {
    cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  ~Event() override { cudaEventDestroy(event); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
};

class CudaRuntime final : public DeviceRuntime {
 public:
  int count() const override {
    int devices = 0;
    cuda_check(cudaGetDeviceCount(&devices));
    return devices;
  }

  std::string describe(int index) const override {
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, index));
    return str(properties.name, ", ", properties.totalGlobalMem >> 30, " GiB, capability ",
               properties.major, '.', properties.minor, ", ", properties.multiProcessorCount,
               " multiprocessors");
  }

  size_t free_bytes(int index) const override {
    use_device(index);
    size_t free = 0;
    size_t total = 0;
    cuda_check(cudaMemGetInfo(&free, &total));
    return free;
  }

  void* allocate(int index, size_t bytes) override {
    use_device(index);
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it is not to be reported again by the next launch
      size_t free_bytes = 0;
      size_t total_bytes = 0;
      cudaMemGetInfo(&free_bytes, &total_bytes);
      throw OutOfMemory(str("cuda:", index, ": no memory for ", bytes, " bytes, ", free_bytes,
                            " of ", total_bytes, " are free"));
    }
    cuda_check(status);
    return data;
  }
  void free(int index, void* data) noexcept override {
    cudaSetDevice(index);
    cudaFree(data);
  }

  std::unique_ptr<Stream> make_stream(int index) override {
    const std::string refusal = gpu_refuses(index);
    check(refusal.empty(), Device::cuda(index), ": ", refusal);
    use_device(index);
    cudaStream_t queue = nullptr;
    cuda_check(cudaStreamCreateWithFlags(&queue, cudaStreamNonBlocking));
    return std::make_unique<Stream>(Device::cuda(index), queue,
                                    std::shared_ptr<void>(queue, [](void* owned) {
                                      // The next stream may get the same handle, and with it what
                                      // the allocator keeps for this one.
                                      cudaStreamSynchronize(static_cast<cudaStream_t>(owned));
                                      cudaStreamDestroy(static_cast<cudaStream_t>(owned));
                                    }));
  }

  void copy(Stream& stream, void* to, Device to_device, const void* from, Device from_device,
            size_t bytes) override;

  void synchronize(Stream& stream) override {
    use_device(stream.device().index);
    ++waits_of(stream.device().index);
    cuda_check(cudaStreamSynchronize(queue_of(stream)));
  }
  int64_t host_waits(int index) const override {
    return host_waits_.at(static_cast<size_t>(index));
  }

  std::shared_ptr<Mark> mark(Stream& stream) override {
    use_device(stream.device().index);
    auto reached = std::make_shared<Event>(stream.device().index);
    cuda_check(cudaEventRecord(reached->event, queue_of(stream)));
    return reached;
  }

  void wait(Mark& mark) override {
    const auto& reached = static_cast<const Event&>(mark);
    use_device(reached.device);
    const cudaError_t status = cudaEventQuery(reached.event);
    if (status == cudaErrorNotReady) {
      ++waits_of(reached.device);
      cuda_check(cudaEventSynchronize(reached.event));
    } else {
      cuda_check(status);
    }
  }

  void order(Stream& later, Stream& earlier) override {
    use_device(earlier.device().index);
    const Event reached(earlier.device().index);  // CUDA keeps it until both streams have passed
    cuda_check(cudaEventRecord(reached.event, queue_of(earlier)));
    cuda_check(cudaStreamWaitEvent(queue_of(later), reached.event, 0));
  }

  void* allocate_host(size_t bytes) override {
    void* data = nullptr;
    cuda_check(cudaHostAlloc(&data, bytes, cudaHostAllocPortable));
    return data;
  }
  void free_host(void* data) noexcept override { cudaFreeHost(data); }
  bool is_pinned(const void* data) const override {
    cudaPointerAttributes attributes{};
    cuda_check(cudaPointerGetAttributes(&attributes, data));
    return attributes.type == cudaMemoryTypeHost;
  }

  bool can_record() const override { return true; }

  void begin_recording(Stream& stream) override {
    use_device(stream.device().index);
    // Relaxed: the caching allocator may ask for a new segment on the way, which queues nothing.
    cuda_check(cudaStreamBeginCapture(queue_of(stream), cudaStreamCaptureModeRelaxed));
  }

  std::shared_ptr<Recording> end_recording(Stream& stream) override {
    use_device(stream.device().index);
    cudaGraph_t graph = nullptr;
    cuda_check(cudaStreamEndCapture(queue_of(stream), &graph));
    auto recording = std::make_shared<Graph>();
    const cudaError_t status = cudaGraphInstantiate(&recording->executable, graph, 0);
    cudaGraphDestroy(graph);
    cuda_check(status);
    return recording;
  }

  void replay(Recording& recording, Stream& stream) override {
    use_device(stream.device().index);
    cuda_check(cudaGraphLaunch(static_cast<Graph&>(recording).executable, queue_of(stream)));
  }

  void begin_range(const std::string& name) override { nvtxRangePushA(name.c_str()); }
  void end_range() override { nvtxRangePop(); }

 private:
  std::atomic<int64_t>& waits_of(int index) { return host_waits_.at(static_cast<size_t>(index)); }

  using Counts = std::vector<std::atomic<int64_t>>;
  Counts host_waits_ = Counts(static_cast<size_t>(CudaRuntime::count()));  // by device
};

void CudaRuntime::copy(Stream& stream, void* to, Device to_device, const void* from,
                       Device from_device, size_t bytes) {
  if (bytes == 0) return;
  use_device(stream.device().index);
  const cudaStream_t queue = queue_of(stream);
  const bool from_host = from_device.kind == DeviceKind::cpu;
  const bool to_host = to_device.kind == DeviceKind::cpu;
  if (!from_host && !to_host && from_device != to_device) {
    cuda_check(cudaMemcpyPeerAsync(to, to_device.index, from, from_device.index, bytes, queue));
  } else if (from_host && !to_host && !is_pinned(from)) {
    check(!is_recording(queue), "copy: a recorded step would read ", bytes,
          " bytes of host memory again at each replay; put them on the device before it");
    waits_of(stream.device().index) += stream.state<Staging>().upload(to, from, bytes, queue);
  } else {
    // CUDA returns when it is there.
    if (to_host && !from_host && !is_pinned(to)) ++waits_of(stream.device().index);
    cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, queue));
  }
}

}  // namespace

const char* why_unavailable() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0) {
    static const std::string refusal = gpu_refuses(0);
    return refusal.empty() ? nullptr : refusal.c_str();
  }
  if (status == cudaErrorInsufficientDriver) {
    return "no GPU: there is no NVIDIA driver, or one older than the CUDA this was built with";
  }
  if (status == cudaSuccess || status == cudaErrorNoDevice) {
    return "no GPU: the NVIDIA driver finds none";
  }
  return cudaGetErrorString(status);
}

std::shared_ptr<DeviceRuntime> make_runtime() {
  return std::make_shared<CudaRuntime>();
}

}  // namespace burin::cuda
