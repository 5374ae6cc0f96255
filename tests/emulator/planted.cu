// Kernels with one planted bug each; the emulator must name the place. `// bug: …` marks the line.
#include <cooperative_groups.h>

#include "emulator/planted.h"

#include "burin/kernels/cuda/support/launch.h"

namespace burin {
namespace {

__global__ void missing_barrier(float* x, bool mended) {
  __shared__ float tile[256];
  tile[threadIdx.x] = x[threadIdx.x];
  if (mended) __syncthreads();
  x[threadIdx.x] = tile[255 - threadIdx.x];  // bug: missing barrier
}

__global__ void divergent_barrier(float* x) {
  __shared__ float tile[64];
  tile[threadIdx.x] = 0;
  if (threadIdx.x < 32) {
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();  // bug: divergent barrier
  }
  x[threadIdx.x] = tile[threadIdx.x % 32];
}

__global__ void two_barriers(float* x) {
  if (threadIdx.x < 32) {
    x[threadIdx.x] = 1;
    __syncthreads();
  } else {
    x[threadIdx.x] = 2;
    __syncthreads();  // bug: two barriers
  }
}

__global__ void divergent_shuffle(float* x) {
  if (threadIdx.x >= 20) return;
  x[threadIdx.x] = __shfl_down_sync(0xffffffffu, x[threadIdx.x], 1);  // bug: divergent shuffle
}

__global__ void bad_mask(float* x) {
  if (threadIdx.x != 3) return;
  x[0] = __shfl_sync(0xfffffff0u, x[threadIdx.x], 5);  // bug: bad mask
}

__global__ void different_functions(float* x) {
  if (threadIdx.x < 16) {
    x[threadIdx.x] = __shfl_sync(0xffffffffu, x[threadIdx.x], 0);
  } else {
    x[threadIdx.x] = static_cast<float>(
        __any_sync(0xffffffffu, x[threadIdx.x] > 0));  // bug: different functions
  }
}

__global__ void global_past_end(float* x) {
  x[blockIdx.x * blockDim.x + threadIdx.x] = 1;  // bug: global past end
}

__global__ void shared_past_end(float* x) {
  __shared__ float tile[64];
  float* const p = tile;
  p[threadIdx.x + 1] = x[threadIdx.x];  // bug: shared past end
  __syncthreads();
  x[threadIdx.x] = p[threadIdx.x];
}

__global__ void dynamic_past_end(float* x) {
  float* const tile = cuda::dynamic_shared<float>();
  tile[threadIdx.x + 1] = x[threadIdx.x];  // bug: dynamic past end
  __syncthreads();
  x[threadIdx.x] = tile[threadIdx.x];
}

__global__ void unwritten_shared(float* x) {
  __shared__ float tile[64];
  if (threadIdx.x < 63) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[threadIdx.x];  // bug: unwritten shared
}

/// Blocks add to one word without an atomic.
__global__ void plain_add(float* x) {
  if (threadIdx.x == 0) x[1023] += x[blockIdx.x];  // bug: plain add
}

/// Relies on lanes running in lockstep, as they did before Volta.
__global__ void missing_syncwarp(float* x, bool mended) {
  __shared__ float tile[32];
  tile[threadIdx.x] = x[threadIdx.x];
  if (mended) __syncwarp();
  x[threadIdx.x] = tile[31 - threadIdx.x];  // bug: missing syncwarp
}

/// Writes the order in which threads and blocks ran.
__global__ void record_order(float* x) {
  const float turn = atomicAdd(x, 1.0f);
  x[1 + blockIdx.x * blockDim.x + threadIdx.x] = turn;
}

/// Both read, before they wait, what add_one wrote in the launch before.
__global__ void reads_too_early(float* x) {
  const float value = x[threadIdx.x];  // bug: reads too early
  cudaGridDependencySynchronize();
  x[threadIdx.x] = value;
}

__global__ void forgets_to_wait(float* x) {
  if (threadIdx.x < 5) cudaGridDependencySynchronize();
  if (threadIdx.x > 40) x[threadIdx.x] = 0;
}

__global__ void lets_begin_too_early() {
  cudaTriggerProgrammaticLaunchCompletion();  // bug: lets begin too early
  cudaGridDependencySynchronize();
}

__global__ void waits_first(float* x) {
  const float older = x[512 + threadIdx.x];
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  x[threadIdx.x] += older;
}

/// Each block of a cluster reads what its neighbour has written.
__global__ void missing_cluster_sync(float* x, bool mended) {
  cudaGridDependencySynchronize();
  const auto cluster = cooperative_groups::this_cluster();
  float* const tile = cuda::dynamic_shared<float>();
  float* const mine = x + blockIdx.x * blockDim.x + threadIdx.x;
  cluster.sync();
  tile[threadIdx.x] = *mine;
  __syncthreads();
  if (mended) cluster.sync();
  const unsigned neighbour = (cluster.block_rank() + 1) % cluster.num_blocks();
  const float* const other = cluster.map_shared_rank(tile, neighbour);
  const float value = other[threadIdx.x];  // bug: missing cluster sync
  cluster.sync();
  *mine = value;
}

__global__ void maps_too_early(float* x) {
  cudaGridDependencySynchronize();
  const auto cluster = cooperative_groups::this_cluster();
  float* const tile = cuda::dynamic_shared<float>();
  cluster.map_shared_rank(tile, 1)[0] = x[0];  // bug: maps too early
  cluster.sync();
}

/// Block 0 may have ended when the last one reads.
__global__ void ends_too_early(float* x) {
  cudaGridDependencySynchronize();
  const auto cluster = cooperative_groups::this_cluster();
  float* const tile = cuda::dynamic_shared<float>();
  tile[threadIdx.x] = x[threadIdx.x];
  cluster.sync();
  x[cluster.block_rank()] = cluster.map_shared_rank(tile, 0)[threadIdx.x];
}

__global__ void leaves_the_cluster(float* x) {
  cudaGridDependencySynchronize();
  const auto cluster = cooperative_groups::this_cluster();
  if (blockIdx.x == 1) return;
  x[threadIdx.x] = 0;
  cluster.sync();  // bug: leaves the cluster
}

/// Each block of a grid reads what its neighbour has written.
__global__ void missing_grid_sync(float* x, bool mended) {
  x[blockIdx.x * blockDim.x + threadIdx.x] += 1;
  if (mended) cooperative_groups::this_grid().sync();
  const unsigned neighbour = (blockIdx.x + 1) % gridDim.x;
  const float value = x[neighbour * blockDim.x + threadIdx.x];  // bug: missing grid sync
  x[(gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x] = value;
}

__global__ void leaves_the_grid() {
  if (blockIdx.x == 1) return;
  cooperative_groups::this_grid().sync();  // bug: leaves the grid
}

__global__ void waits_for_the_grid() {
  cooperative_groups::this_grid().sync();  // bug: waits for the grid
}

/// No bug: what CUDA's functions yield that our own kernels may not use yet.
__global__ void device_functions(float* x) {
  const float a = 1 + 0x1p-12f;  // a² needs one bit more than a float has
  int i = 0;
  x[i++] = float(__popc(0xf0f0u));
  x[i++] = float(__clz(1));
  x[i++] = float(__ffs(8));
  x[i++] = float(__ffs(0));
  x[i++] = float(__umulhi(1u << 31, 6u));
  x[i++] = float(__float2int_rn(2.5f));
  x[i++] = __ldg(x + 100);
  x[i++] = __saturatef(-1) + __saturatef(2);
  x[i++] = __int_as_float(__float_as_int(1.0f) + 1);
  x[i++] = __fmaf_rn(a, a, -1 - 0x1p-11f);
  x[i++] = __fadd_rn(__fmul_rn(a, a), -1 - 0x1p-11f);
  x[i++] = __fsqrt_rn(2.25f);
  x[i++] = __frcp_rn(4);
  x[i++] = __fdividef(3, 2);
  x[i++] = __half2float(__float2half(1 + 0x1p-11f));
}

__global__ void atomics(float* x) {
  __shared__ int n[8];
  if (threadIdx.x < 8) n[threadIdx.x] = 0;
  __syncthreads();
  const int i = int(threadIdx.x);
  atomicAdd(&n[0], i);
  atomicMax(&n[1], i);
  atomicMin(&n[2], -i);
  atomicOr(&n[3], 1 << i % 8);
  if (atomicCAS(&n[4], 0, 5) == 0) atomicAdd(&n[5], 1);
  if (atomicExch(&n[6], 5) == 0) atomicAdd(&n[7], 1);
  __syncthreads();
  if (threadIdx.x < 8) x[i] = float(n[i]);
}

__global__ void add_one(float* x) {
  x[threadIdx.x] += 1;
}

}  // namespace

void run_planted(std::string_view name, float* x, Stream& stream) {
  using cuda::launch, cuda::launch_overlapped, cuda::launch_cooperative;
  const auto launch_four = [&stream](auto kernel, dim3 cluster, auto... arguments) {
    cuda::launch_clusters(kernel, {4, 32, 32 * sizeof(float), stream}, cluster, arguments...);
  };
  if (name == "missing barrier") launch(missing_barrier, {1, 256, 0, stream}, x, false);
  if (name == "missing barrier, mended") launch(missing_barrier, {1, 256, 0, stream}, x, true);
  if (name == "divergent barrier") launch(divergent_barrier, {1, 64, 0, stream}, x);
  if (name == "two barriers") launch(two_barriers, {1, 64, 0, stream}, x);
  if (name == "divergent shuffle") launch(divergent_shuffle, {1, 32, 0, stream}, x);
  if (name == "bad mask") launch(bad_mask, {1, 32, 0, stream}, x);
  if (name == "different functions") launch(different_functions, {1, 32, 0, stream}, x);
  if (name == "global past end") launch(global_past_end, {5, 256, 0, stream}, x);
  if (name == "shared past end") launch(shared_past_end, {1, 64, 0, stream}, x);
  if (name == "dynamic past end") launch(dynamic_past_end, {1, 64, 64 * sizeof(float), stream}, x);
  if (name == "unwritten shared") launch(unwritten_shared, {1, 64, 0, stream}, x);
  if (name == "plain add") launch(plain_add, {4, 32, 0, stream}, x);
  if (name == "missing syncwarp") launch(missing_syncwarp, {1, 32, 0, stream}, x, false);
  if (name == "missing syncwarp, mended") launch(missing_syncwarp, {1, 32, 0, stream}, x, true);
  if (name == "too many rows of blocks") launch(add_one, {dim3(1, 65536), 32, 0, stream}, x);
  if (name == "too many threads") launch(add_one, {1, 2048, 0, stream}, x);
  if (name == "too much shared memory") launch(add_one, {1, 32, 1 << 20, stream}, x);
  if (name == "another current device") {
    cudaSetDevice(1 - stream.device().index);
    cudaLaunchConfig_t config{};
    config.gridDim = 1;
    config.blockDim = 32;
    config.stream = static_cast<cudaStream_t>(stream.native());
    cudaLaunchKernelEx(&config, add_one, x);
  }
  if (name == "record order") launch(record_order, {2, 64, 0, stream}, x);
  if (name == "reads too early") {
    launch(add_one, {1, 32, 0, stream}, x);
    launch_overlapped(reads_too_early, {1, 32, 0, stream}, x);
  }
  if (name == "forgets to wait") launch_overlapped(forgets_to_wait, {1, 32, 0, stream}, x);
  if (name == "lets begin too early") {
    launch_overlapped(lets_begin_too_early, {1, 32, 0, stream});
  }
  if (name == "waits first") {
    launch(add_one, {1, 32, 0, stream}, x + 512);
    launch(add_one, {1, 32, 0, stream}, x);
    launch_overlapped(waits_first, {1, 32, 0, stream}, x);
  }
  if (name == "missing cluster sync") launch_four(missing_cluster_sync, 2, x, false);
  if (name == "missing cluster sync, mended") launch_four(missing_cluster_sync, 2, x, true);
  if (name == "maps too early") launch_four(maps_too_early, 2, x);
  if (name == "ends too early") launch_four(ends_too_early, 4, x);
  if (name == "leaves the cluster") launch_four(leaves_the_cluster, 4, x);
  if (name == "cluster does not fit") launch_four(maps_too_early, 3, x);
  if (name == "cluster too large") launch_four(maps_too_early, 16, x);
  if (name == "missing grid sync") {
    launch_cooperative(missing_grid_sync, {4, 32, 0, stream}, x, false);
  }
  if (name == "missing grid sync, mended") {
    launch_cooperative(missing_grid_sync, {4, 32, 0, stream}, x, true);
  }
  if (name == "leaves the grid") launch_cooperative(leaves_the_grid, {4, 32, 0, stream});
  if (name == "waits for the grid") launch(waits_for_the_grid, {4, 32, 0, stream});
  if (name == "grid too large") launch_cooperative(waits_for_the_grid, {9, 32, 0, stream});
  if (name == "device functions") launch(device_functions, {1, 1, 0, stream}, x);
  if (name == "atomics") launch(atomics, {1, 64, 0, stream}, x);
  if (name == "add one") launch(add_one, {1, 32, 0, stream}, x);
}

}  // namespace burin
