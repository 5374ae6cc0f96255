#pragma once

#include "burin/kernels/cpu/support/gemm.h"
#include "burin/kernels/op.h"

namespace burin::cpu {
namespace {

/// The rows of one head of an operand [N, H, tokens, D] as floats: where they lie, or a dense copy
/// in `scratch` where they are of 16 bits.
class HeadRows {
 public:
  HeadRows(const ConstView& view, int64_t head, Workspace& scratch)
      : tokens_(view.dim(2)), D_(view.dim(3)) {
    const int64_t H = view.dim(1);
    const int64_t first = head / H * view.strides[0] + head % H * view.strides[1];
    if (view.dtype == DType::f32) {
      data_ = view.as<float>() + first;
      stride_ = view.strides[2];
      return;
    }
    float* const copy = scratch.take<float>(static_cast<size_t>(tokens_ * D_));
    visit_floating(view.dtype, [&](auto tag) {
      const auto* const from = view.as<typename decltype(tag)::type>() + first;
      for (int64_t t = 0; t < tokens_; ++t) {
        for (int64_t d = 0; d < D_; ++d) {
          copy[t * D_ + d] = static_cast<float>(from[t * view.strides[2] + d]);
        }
      }
    });
    data_ = copy;
    stride_ = D_;
  }
  /// Scratch that the copy takes.
  static size_t room(const ConstView& view) {
    if (view.dtype == DType::f32) return 0;
    return Workspace::room_for<float>(static_cast<size_t>(view.dim(2) * view.dim(3)));
  }

  const float* row(int64_t t) const { return data_ + t * stride_; }
  ConstMatrix rows(int64_t first, int64_t count) const {
    return {row(first), count, D_, stride_, 1};
  }
  ConstMatrix transposed() const { return {data_, D_, tokens_, 1, stride_}; }

 private:
  int64_t tokens_, D_, stride_ = 0;
  const float* data_ = nullptr;
};

inline ConstMatrix constant(const Matrix& m) {
  return {m.data, m.rows, m.columns, m.row_stride, m.column_stride};
}
inline ConstMatrix transposed(const Matrix& m) {
  return {m.data, m.columns, m.rows, m.column_stride, m.row_stride};
}

/// Rows of floats become rows first, first + 1, … of one head of `view`, in its dtype.
inline void write_rows(const ConstMatrix& from, const View& view, int64_t head, int64_t first) {
  const int64_t H = view.dim(1);
  const int64_t offset =
      head / H * view.strides[0] + head % H * view.strides[1] + first * view.strides[2];
  visit_floating(view.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < from.rows; ++i) {
      T* const to = view.as<T>() + offset + i * view.strides[2];
      const float* const row = from.data + i * from.row_stride;
      for (int64_t d = 0; d < from.columns; ++d) to[d] = T(row[d]);
    }
  });
}

}  // namespace
}  // namespace burin::cpu
