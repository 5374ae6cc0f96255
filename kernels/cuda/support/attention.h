#pragma once

#include "burin/kernels/attention.h"
#include "burin/kernels/cuda/support/launch.h"

namespace burin {
class Registry;
}

namespace burin::cuda {

void register_attention_tensor_cores(Registry& registry);

/// One operand's rows: [N, H, rows, D] with neighbouring elements side by side. T is const for what
/// is read.
template <class T>
struct AttentionRows {
  T* data;
  int64_t stride_n, stride_h, stride_row;

  template <class V>
  static AttentionRows of(const V& view) {
    return {static_cast<T*>(view.data), view.strides[0], view.strides[1], view.strides[2]};
  }
  __device__ T* row(int64_t n, int64_t h, int64_t t) const {
    return data + n * stride_n + h * stride_h + t * stride_row;
  }
};

struct AttentionExtents {
  int64_t N, H, T, U;
  int D;

  static AttentionExtents of(const ConstView& q, const ConstView& k) {
    return {q.dim(0), q.dim(1), q.dim(2), k.dim(2), static_cast<int>(q.dim(3))};
  }
};

/// AttentionForward as a kernel sees it.
template <class T>
struct AttentionForwardRows {
  AttentionRows<const T> q, k, v;
  AttentionRows<T> y;
  float* log_sum_exp;
  AttentionExtents e;
  float scale;

  static AttentionForwardRows of(const AttentionForward& op) {
    return {AttentionRows<const T>::of(op.q),
            AttentionRows<const T>::of(op.k),
            AttentionRows<const T>::of(op.v),
            AttentionRows<T>::of(op.y),
            op.log_sum_exp.as<float>(),
            AttentionExtents::of(op.q, op.k),
            op.scale};
  }
};

/// AttentionBackward as a kernel sees it.
template <class T>
struct AttentionBackwardRows {
  AttentionRows<const T> dy, q, k, v, y;
  const float* log_sum_exp;
  AttentionRows<T> dq, dk, dv;
  AttentionExtents e;
  float scale;

  static AttentionBackwardRows of(const AttentionBackward& op) {
    return {AttentionRows<const T>::of(op.dy),
            AttentionRows<const T>::of(op.q),
            AttentionRows<const T>::of(op.k),
            AttentionRows<const T>::of(op.v),
            AttentionRows<const T>::of(op.y),
            op.log_sum_exp.as<float>(),
            AttentionRows<T>::of(op.dq),
            AttentionRows<T>::of(op.dk),
            AttentionRows<T>::of(op.dv),
            AttentionExtents::of(op.q, op.k),
            op.scale};
  }
};

}  // namespace burin::cuda
