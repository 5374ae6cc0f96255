#pragma once

#include "burin/kernels/batch_norm.h"
#include "burin/kernels/cuda/support/batch_norm_rows.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/packet.h"

// What the rungs of batch_norm.cu share on the host, and those that have a file of their own.

namespace burin::cuda {

void register_batch_norm_cluster(Registry& registry);
void register_batch_norm_cooperative(Registry& registry);

inline Refusal accepts_image(const ConstView& x) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (x.rank() != 2 && x.rank() != 4) {
    return str("x ", x.shape, ", neither [N, C] nor [N, C, H, W]");
  }
  if (x.numel() == 0) return str("x ", x.shape, " is empty");
  if (x.rank() == 2) return x.is_contiguous() ? "" : "x is not row-major";
  const bool dense = x.is_dense(Layout::nhwc) || x.is_dense(Layout::nchw);
  return dense ? "" : "x is dense in no layout";
}

/// Why an optional operand of x's shape does not lie like x, or empty.
template <bool in_eights, class V>
Refusal refuse_other(const ConstView& x, const V& other, const char* name) {
  if (!other) return "";
  if (other.dtype != x.dtype || !same_dense_order(x, other)) {
    return str(name, " differs from x in dtype or layout");
  }
  return !in_eights || is_aligned(other) ? "" : str(name, " does not begin at 16 bytes");
}

/// For a rung whose threads own eight channels each, or one that takes any image.
template <bool in_eights>
Refusal refuse_image(const ConstView& x) {
  if (Refusal refusal = accepts_image(x); !refusal.empty()) return refusal;
  if (!in_eights) return "";
  if (Channels::of(x).inner != 1) return "not nhwc";
  if (x.dim(1) % per_byte != 0) return str(x.dim(1), " channels, no multiple of ", per_byte);
  if (x.numel() / x.dim(1) > Rows::most || x.dim(1) > Rows::most) {
    return "too many rows or channels";
  }
  return is_aligned(x) ? "" : "x does not begin at 16 bytes";
}

/// Of BatchNormTrain and BatchNormInference.
template <bool in_eights, class Op>
Refusal refuse_forward(const Op& op) {
  if (Refusal refusal = refuse_image<in_eights>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<in_eights>(op.x, op.y, "y"); !refusal.empty()) return refusal;
  return refuse_other<in_eights>(op.x, op.residual, "the residual");
}

/// The most that a block can have of shared memory.
inline int shared_bytes_of(Device device) {
  int most = 0;
  check_launch(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device.index),
               Where::current());
  return most;
}

}  // namespace burin::cuda
