#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <string_view>

namespace burin::cuda {

/// Pinned memory through which ordinary host memory travels to the device. Copying into it is the
/// host's part; the rest goes on by itself. State of a stream: its chunks are used in turn, and one
/// is written again only when the device has read it.
class Staging {
 public:
  static constexpr std::string_view name = "cuda staging";

  Staging() = default;
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// `from` may be reused when this returns. Returns how often the host had to wait for a chunk.
  int upload(void* to, const void* from, size_t bytes, cudaStream_t stream);

 private:
  struct Chunk {
    void* data = nullptr;
    cudaEvent_t read = nullptr;  // the device has read what was last put in
  };
  static constexpr size_t chunk_bytes = size_t{4} << 20;  // a memcpy of 4 MiB hides behind its DMA
  std::array<Chunk, 4> chunks_;
  size_t next_ = 0;
};

}  // namespace burin::cuda
