#pragma once

#include "burin/kernels/cuda/support/output.h"
#include "burin/kernels/cuda/support/tensor_tile.h"
#include "burin/kernels/matmul.h"

namespace burin::cuda {

/// One operand: rows along M or N, and how they lie in memory.
template <class T>
struct MatmulOperand {
  const T* data;
  int64_t row_stride, k_stride, batch_stride;

  __device__ float at(int row, int k) const { return float(data[row * row_stride + k * k_stride]); }
};

/// The whole problem as a kernel sees it. After select() it is one product of the batch.
template <class T>
struct MatmulProduct {
  MatmulOperand<T> left, right;
  Output<T> out;
  int64_t pitch, y_batch_stride;  // of y: elements from row to row
  int M, N, k_end;
  bool a_along_k, b_along_k;
  int64_t first = 0;  // element of y
  int k_begin = 0;

  __device__ void select(int batch) {
    left.data += batch * left.batch_stride;
    right.data += batch * right.batch_stride;
    first = batch * y_batch_stride;
  }
  __device__ float a(int m, int k) const { return left.at(m, k); }
  __device__ float b(int n, int k) const { return right.at(n, k); }
  __device__ void store(int m, int n, float sum) const { out.store(first + m * pitch + n, n, sum); }
};

/// The same problem for tensor cores: each operand a RowMatrix or a ColumnMatrix.
template <class T, class LeftMatrix, class RightMatrix>
struct MatmulTensorProduct {
  using Element = T;
  LeftMatrix left;
  RightMatrix right;
  MatmulProduct<T> whole;
  int M, N, k_begin, k_end;

  __device__ void select(int batch) {
    whole.select(batch);
    left.data = whole.left.data;
    right.data = whole.right.data;
  }
  __device__ int64_t row(int m) const { return whole.first + m * whole.pitch; }
  static constexpr bool stores_sums = false;
  __host__ __device__ const Output<T>& output() const { return whole.out; }
  __device__ void store(int64_t row, int n, const float* sums, int count) const {
    whole.out.store_row(row + n, n, sums, count);
  }
};

/// A matrix of the op: rank 2, or the last two dimensions of rank 3.
struct MatmulExtents {
  int64_t batch, M, N, K;
  explicit MatmulExtents(const Matmul& op)
      : batch(op.y.rank() == 3 ? op.y.dim(0) : 1),
        M(op.y.dim(op.y.rank() - 2)),
        N(op.y.dim(op.y.rank() - 1)),
        K(op.a.dim(op.a.rank() - 1)) {}
};

template <class T>
MatmulOperand<T> matmul_operand(const ConstView& view, bool k_is_last) {
  const int last = view.rank() - 1;
  return {view.as<T>(), view.strides[k_is_last ? last - 1 : last],
          view.strides[k_is_last ? last : last - 1], view.rank() == 3 ? view.strides[0] : 0};
}

template <class T>
MatmulProduct<T> product_of(const Matmul& op) {
  const MatmulExtents e(op);
  const MatmulOperand<T> left = matmul_operand<T>(op.a, true),
                         right = matmul_operand<T>(op.b, false);
  const int64_t pitch = op.y.strides[op.y.rank() - 2];
  const int64_t y_batch = op.y.rank() == 3 ? op.y.strides[0] : 0;
  const bool packets = pitch % 8 == 0 && y_batch % 8 == 0;
  return {left,
          right,
          Output<T>::of(op.y, op.epilogue, packets),
          pitch,
          y_batch,
          static_cast<int>(e.M),
          static_cast<int>(e.N),
          static_cast<int>(e.K),
          left.k_stride == 1,
          right.k_stride == 1};
}

/// Hands launch(product, M, N, count) the product with a type for each operand's lines.
template <class T, class Launch>
void with_typed_product(const Matmul& op, const Launch& launch) {
  const MatmulProduct<T> whole = product_of<T>(op);
  const int64_t batch = MatmulExtents(op).batch;
  const auto with_right = [&](const auto& left) {
    const auto with_both = [&](const auto& right) {
      const MatmulTensorProduct<T, std::decay_t<decltype(left)>, std::decay_t<decltype(right)>>
          product{left, right, whole, whole.M, whole.N, whole.k_begin, whole.k_end};
      launch(product, whole.M, whole.N, batch);
    };
    const MatmulOperand<T>& right = whole.right;
    if (whole.b_along_k) return with_both(RowMatrix<T>{right.data, right.row_stride, whole.N});
    with_both(ColumnMatrix<T>{right.data, right.k_stride, whole.N});
  };
  const MatmulOperand<T>& left = whole.left;
  if (whole.a_along_k) return with_right(RowMatrix<T>{left.data, left.row_stride, whole.M});
  with_right(ColumnMatrix<T>{left.data, left.k_stride, whole.M});
}

/// The same for the op's 16-bit type.
template <class Launch>
void with_tensor_product(const Matmul& op, const Launch& launch) {
  if (op.a.dtype == DType::bf16) {
    with_typed_product<__nv_bfloat16>(op, launch);
  } else {
    with_typed_product<__half>(op, launch);
  }
}

}  // namespace burin::cuda
