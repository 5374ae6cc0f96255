#include "burin/kernels/cuda/support/staging.h"

#include <algorithm>
#include <cstring>

#include "burin/kernels/cuda/support/error.h"

namespace burin::cuda {

Staging::~Staging() {
  for (const Chunk& chunk : chunks_) {
    if (chunk.read != nullptr) {
      cudaEventSynchronize(chunk.read);
      cudaEventDestroy(chunk.read);
    }
    if (chunk.data != nullptr) cudaFreeHost(chunk.data);
  }
}

int Staging::upload(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  int waits = 0;
  for (size_t done = 0; done < bytes; done += chunk_bytes) {
    Chunk& chunk = chunks_[next_];
    next_ = (next_ + 1) % chunks_.size();
    if (chunk.data == nullptr) {
      cuda_check(cudaHostAlloc(&chunk.data, chunk_bytes, cudaHostAllocPortable));
      cuda_check(cudaEventCreateWithFlags(&chunk.read, cudaEventDisableTiming));
    } else if (cudaEventQuery(chunk.read) == cudaErrorNotReady) {
      cuda_check(cudaEventSynchronize(chunk.read));
      ++waits;
    }
    const size_t size = std::min(bytes - done, chunk_bytes);
    std::memcpy(chunk.data, static_cast<const std::byte*>(from) + done, size);
    cuda_check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, chunk.data, size,
                               cudaMemcpyHostToDevice, stream));
    cuda_check(cudaEventRecord(chunk.read, stream));
  }
  return waits;
}

}  // namespace burin::cuda
