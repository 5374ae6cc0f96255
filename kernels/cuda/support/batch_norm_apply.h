#pragma once

#include "burin/kernels/cuda/support/batch_norm_rows.h"
#include "burin/kernels/cuda/support/batch_norm_statistics.h"

/// The pass that normalises, with residual, ReLU and its mask: the arithmetic of every rung, and
/// the walk of those whose threads own eight channels.

namespace burin::cuda {

/// y = relu?((x − mean) · inverse_std · weight + bias + residual)
template <class T>
struct Affine {
  const T* x;
  const T* residual;  // or null
  T* y;
  uint8_t* relu_mask;  // or null
  const float* mean;
  const float* inverse_std;
  const float* weight;
  const float* bias;
  bool relu;

  /// Of BatchNormTrain or BatchNormInference.
  template <class Op>
  static Affine of(const Op& op, const float* inverse_std) {
    return {op.x.template as<T>(),
            op.residual.template as<T>(),
            op.y.template as<T>(),
            op.relu_mask.template as<uint8_t>(),
            op.mean.template as<float>(),
            inverse_std,
            op.weight.template as<float>(),
            op.bias.template as<float>(),
            op.relu};
  }

  __device__ float normalized(float value, int64_t c) const {
    return (value - mean[c]) * (inverse_std[c] * weight[c]) + bias[c];
  }
  __device__ float activated(float value) const {
    return relu && value <= 0 ? 0.0f : value;  // NaN passes
  }
};

/// The factors of a block's channels, of which a thread takes its own eight.
struct FactorsOfBlock {
  OfBlock means, scales, biases;

  /// By the thread that speaks for the channel, or for none.
  __device__ void set(const Normal& normal, float weight, float bias) {
    if (Rows::thread() >= Rows::width()) return;
    means.at[Rows::thread()] = normal.mean;
    scales.at[Rows::thread()] = normal.inverse_std * weight;
    biases.at[Rows::thread()] = bias;
  }
};
struct FactorsOfThread {
  Eight<float> mean, scale, bias;

  __device__ static FactorsOfThread of(const FactorsOfBlock& block) {
    return {block.means.mine(), block.scales.mine(), block.biases.mine()};
  }
};

/// A byte of the mask: which of eight outputs of ReLU, as they are stored, are not 0. NaN counts.
template <class T>
__device__ unsigned bits_above_zero(const Eight<T>& y) {
  unsigned bits = 0;
  if constexpr (sizeof(T) == 2) {
    // In two halves of a word at a time: what is added carries into a half's sign unless it is 0.
    constexpr unsigned magnitudes = 0x7fff7fff, signs = 0x80008000;
#pragma unroll
    for (int i = 0; i < per_byte / 2; ++i) {
      bits |= (((y.words[i] & magnitudes) + magnitudes) & signs) >> (15 - 2 * i);
    }
    return (bits | bits >> 15) & 0xff;  // the upper halves are the odd elements
  } else {
#pragma unroll
    for (int k = 0; k < per_byte; ++k) bits |= y[k] <= 0 ? 0u : 1u << k;
    return bits;
  }
}

/// Eight neighbours of a row, the first of them element `first`.
template <class T, bool has_residual>
__device__ void apply_eight(const Affine<T>& op, const FactorsOfThread& factors,
                            const Eight<T>& values, const Eight<T>& added, int64_t first) {
  float value[per_byte];
#pragma unroll
  for (int k = 0; k < per_byte; ++k) {
    value[k] = (values[k] - factors.mean[k]) * factors.scale[k] + factors.bias[k];
    if constexpr (has_residual) value[k] += added[k];
    value[k] = op.activated(value[k]);
  }
  const auto y = Eight<T>::of(value);
  y.store(op.y + first);
  if (op.relu_mask != nullptr) {
    op.relu_mask[first / per_byte] = static_cast<uint8_t>(bits_above_zero(y));
  }
}

/// Where apply_rows finds no row in shared memory.
template <class T>
struct NothingKept {
  __device__ static constexpr bool has(int /*row*/) { return false; }
  __device__ static Eight<T> pop() { return {}; }
};

/// What apply_rows needs of shared memory.
struct ApplyMemory {
  FactorsOfBlock factors;
  SumsOfGroups of_group;
};

/// The thread's rows from `row` down. A row's registers ask for the next row as soon as its result
/// is made; the first ones ask before `ready`, which returns when the statistics can be had. What
/// `kept` has is asked of it instead.
template <class T, bool has_residual, class From, class Kept, class Ready>
__device__ void apply_rows(const Affine<T>& op, const From& statistics, const Rows& rows, int row,
                           int step, Kept kept, ApplyMemory& memory, const Ready& ready) {
  constexpr int in_flight = rows_in_flight < T, has_residual ? 2 : 1 > ;
  Eight<T> values[in_flight] = {}, added[in_flight] = {};
  const auto load = [&](int i, int at) {
    if (at < 0) return;
    if (!kept.has(at)) values[i] = Eight<T>::at(op.x + rows.offset(at));
    if constexpr (has_residual) added[i] = Eight<T>::at(op.residual + rows.offset(at));
  };
#pragma unroll
  for (int i = 0; i < in_flight; ++i) load(i, row - i * step);

  const int c = rows.spoken_for();
  const float weight = c < rows.C ? op.weight[c] : 0, bias = c < rows.C ? op.bias[c] : 0;
  ready();
  const Normal normal = statistics.of_block(rows, memory.of_group);
  memory.factors.set(normal, weight, bias);
  __syncthreads();
  if (c < rows.C) statistics.keep(c, normal);
  const FactorsOfThread factors = FactorsOfThread::of(memory.factors);

  for (;;) {
#pragma unroll
    for (int i = 0; i < in_flight; ++i, row -= step) {
      if (row < 0) return;
      const Eight<T> x = kept.has(row) ? kept.pop() : values[i], more = added[i];
      load(i, row - in_flight * step);
      apply_eight<T, has_residual>(op, factors, x, more, rows.offset(row));
    }
  }
}

}  // namespace burin::cuda
