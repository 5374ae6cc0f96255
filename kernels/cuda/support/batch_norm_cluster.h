#pragma once

#include <cooperative_groups.h>

#include "burin/kernels/cuda/support/batch_norm_apply.h"
#include "burin/kernels/cuda/support/batch_norm_statistics.h"

namespace burin::cuda {

/// How the `cluster` rung of batch_norm.cu divides an nhwc image: a cluster of eight blocks has a
/// slice of the channels, a block of it some of the rows. Those it keeps in shared memory when it
/// has read them for the statistics, so nothing is read twice, and there is one launch. For images
/// that the multiprocessors hold together.
struct ClusterRows {
  Rows rows;
  int share;    // rows of a block, fewer of the last
  int columns;  // of a block, each of eight channels; a power of two

  static constexpr int blocks = 8;

  static ClusterRows of(const Rows& rows) {
    // At once, one block a multiprocessor. Those of a cluster share a part of the GPU, and of an
    // H100's or H200's 132 some are left over.
    constexpr int most_clusters = 15;
    const int eights = rows.C / per_byte;
    int columns = std::min(eights, 2);  // 32 bytes of a row of 16 bits, or sectors are read twice
    const auto clusters = [&] { return (eights + columns - 1) / columns; };
    while (columns < widest_of_block && clusters() > most_clusters) columns *= 2;
    return {rows, (rows.count + blocks - 1) / blocks, columns};
  }

  dim3 grid() const {
    const int eights = rows.C / per_byte;
    return {static_cast<unsigned>((eights + columns - 1) / columns), blocks};
  }
  dim3 block() const {
    return {static_cast<unsigned>(columns), static_cast<unsigned>(row_threads / columns)};
  }
  template <class T>
  size_t shared_bytes() const;

  __device__ RowSpan span() const {
    const int begin = static_cast<int>(blockIdx.y) * share;
    return {begin + static_cast<int>(threadIdx.y), static_cast<int>(blockDim.y),
            min(begin + share, rows.count)};
  }
};

/// A block's dynamic shared memory; behind it the rows that it keeps.
struct ClusterMemory {
  SumsOfThreads of_thread;
  double sums[2][widest_of_block * per_byte];  // the block's Σ x and Σ (x − shift)²
  FactorsOfBlock factors;
};

template <class T>
size_t ClusterRows::shared_bytes() const {
  return sizeof(ClusterMemory) +
         static_cast<size_t>(share) * static_cast<size_t>(columns) * sizeof(Eight<T>);
}

/// The whole of the normalisation for a slice of channels.
template <class T, bool has_residual>
__global__ void __launch_bounds__(row_threads, 1)
    train_cluster(Affine<T> op, Statistics to, ClusterRows over) {
  constexpr int in_flight = rows_in_flight<T, 2>;  // of the residual: x needs none
  const auto cluster = cooperative_groups::this_cluster();
  ClusterMemory& memory = *dynamic_shared<ClusterMemory>();
  const Rows& rows = over.rows;
  const RowSpan span = over.span();
  // Each of them is one thread's alone: nobody has to wait for it.
  const auto kept = [&](int row) -> Eight<T>& {
    const int of_block = row - static_cast<int>(blockIdx.y) * over.share;
    return reinterpret_cast<Eight<T>*>(&memory + 1)[of_block * over.columns + threadIdx.x];
  };
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();

  ShiftedSums of_thread;
  of_thread.add(
      op.x, rows, span, [] {}, [&](int row, const Eight<T>& values) { kept(row) = values; });
  sums_of_block(of_thread.sum, of_thread.squares, memory.of_thread,
                [&](int which, int channel, double sum) { memory.sums[which][channel] = sum; });

  // On its way while the blocks wait for each other.
  const int end = rows.channel() < rows.C ? span.end : 0;
  Eight<T> added[in_flight] = {};
  const auto load = [&](int i, int row) {
    if constexpr (has_residual) {
      if (row < end) added[i] = Eight<T>::at(op.residual + rows.offset(row));
    }
  };
#pragma unroll
  for (int i = 0; i < in_flight; ++i) load(i, span.first + i * span.step);
  const int c = rows.spoken_for();
  const bool speaks = c < rows.C;
  const float first = speaks ? float(op.x[c]) : 0, weight = speaks ? op.weight[c] : 0,
              bias = speaks ? op.bias[c] : 0;
  cluster.sync();

  Normal normal{};
  if (speaks) {
    const int channel = Rows::thread();
    TwoSums total{0, 0};
#pragma unroll
    for (unsigned rank = 0; rank < ClusterRows::blocks; ++rank) {
      const auto* const sums = cluster.map_shared_rank(memory.sums, rank);
      total.first += sums[0][channel];
      total.second += sums[1][channel];
    }
    const double shift = static_cast<double>(shift_for(first));
    normal = normal_of_shifted(total, shift, rows.count, to.epsilon);
    if (cluster.block_rank() == 0) keep_statistics(to, c, normal);
  }
  memory.factors.set(normal, weight, bias);
  __syncthreads();
  const FactorsOfThread factors = FactorsOfThread::of(memory.factors);

  for (int row = span.first; row < end;) {
#pragma unroll
    for (int i = 0; i < in_flight && row < end; ++i, row += span.step) {
      const Eight<T> more = added[i];
      load(i, row + in_flight * span.step);
      apply_eight<T, has_residual>(op, factors, kept(row), more, rows.offset(row));
    }
  }
  cluster.sync();  // a block's sums have to stay while others read them
}

}  // namespace burin::cuda
