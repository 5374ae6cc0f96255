#pragma once

#include <cooperative_groups.h>

#include <algorithm>

#include "burin/kernels/cuda/support/batch_norm_apply.h"
#include "burin/kernels/cuda/support/batch_norm_statistics.h"

/// The `cooperative` rung of batch_norm.cu: what `vector` does in two launches, done by one whose
/// blocks wait for each other. So a thread still has its rows when the statistics are there, in
/// shared memory as far as that goes: the 132 multiprocessors of an H200 hold 25 MB beside what the
/// sums need, all of a ResNet-18's 14² at batch 256, half of its 28².

namespace burin::cuda {

/// A block's dynamic shared memory; behind it the rows that it keeps.
struct CooperativeMemory {
  SumsOfThreads of_thread;
  ApplyMemory apply;
};

/// The rows below `end`, each kept by the thread that meets it: a stack, filled in rising order and
/// emptied in falling order.
template <class T>
class KeptRows {
 public:
  __device__ explicit KeptRows(int end) : end_(end), top_(Rows::thread()) {}

  __device__ bool has(int row) const { return row < end_; }
  __device__ void push(const Eight<T>& values) {
    at(top_) = values;
    top_ += row_threads;
  }
  __device__ Eight<T> pop() {
    top_ -= row_threads;
    return at(top_);
  }

 private:
  __device__ static Eight<T>& at(int slot) {
    return reinterpret_cast<Eight<T>*>(dynamic_shared<CooperativeMemory>() + 1)[slot];
  }

  int end_, top_;
};

/// How the rung divides an image for a GPU that holds so many blocks at the same time, each with at
/// most so many bytes of shared memory.
struct CooperativeRows {
  RowGrid over;
  int resident;
  int kept_end;  // rows below it are kept: as many of each thread
  size_t shared_bytes;

  template <class T>
  static CooperativeRows of(const Rows& rows, int resident, int bytes) {
    constexpr int of_row = row_threads * static_cast<int>(sizeof(Eight<T>));
    constexpr int of_sums = static_cast<int>(sizeof(CooperativeMemory));
    const RowGrid over = RowGrid::of(rows, resident);
    const int step = over.parts() * static_cast<int>(over.block.y);
    const int kept = std::min((bytes - of_sums) / of_row, (rows.count + step - 1) / step);
    return {over, resident, kept * step, static_cast<size_t>(of_sums + kept * of_row)};
  }
  bool fits() const { return static_cast<int>(over.grid.x * over.grid.y) <= resident; }
};

/// sums: [parts, 2, C] and shift_of: [C], as of shifted_sums_vector.
template <class T, bool has_residual>
__global__ void __launch_bounds__(row_threads, 1)
    train_cooperative(Affine<T> op, double* sums, float* shift_of, Statistics to, Rows rows,
                      int kept_end) {
  CooperativeMemory& memory = *dynamic_shared<CooperativeMemory>();
  const int first = rows.first(), step = rows.step();
  KeptRows<T> kept(kept_end);
  cudaTriggerProgrammaticLaunchCompletion();

  ShiftedSums of_thread;
  const auto keep_shift = [&] {
    if (first == 0) Eight<float>::of(of_thread.shift).store(shift_of + rows.channel());
  };
  of_thread.add(op.x, rows, {first, step, rows.count}, keep_shift,
                [&](int row, const Eight<T>& values) {
                  if (kept.has(row)) kept.push(values);
                });
  join_rows(of_thread.sum, of_thread.squares, memory.of_thread, sums, rows);

  // The thread's own rows again, from its last one on.
  const bool has_rows = rows.channel() < rows.C && first < rows.count;
  const int last = has_rows ? first + (rows.count - 1 - first) / step * step : -1;
  const BatchStatistics statistics{sums, shift_of, static_cast<int>(gridDim.y), to};
  apply_rows<T, has_residual>(op, statistics, rows, last, step, kept, memory.apply,
                              [] { cooperative_groups::this_grid().sync(); });
}

}  // namespace burin::cuda
