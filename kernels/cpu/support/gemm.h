#pragma once

#include <cstdint>

namespace burin::cpu {

/// A matrix of floats in memory: element (i, j) lies at i · row_stride + j · column_stride, one of
/// which is 1 (or its extent is).
template <class Pointer>
struct BasicMatrix {
  Pointer data;
  int64_t rows, columns;
  int64_t row_stride, column_stride;
};
using Matrix = BasicMatrix<float*>;
using ConstMatrix = BasicMatrix<const float*>;

/// y = a · b, or y += a · b, on the calling thread. Rows of y are contiguous.
void gemm(const ConstMatrix& a, const ConstMatrix& b, const Matrix& y, bool accumulate);

}  // namespace burin::cpu
