#include "burin/kernels/elementwise.h"

namespace burin {
namespace {

/// True if y is the shape that a and b, of equal rank, broadcast to.
bool stretches_to(const Shape& a, const Shape& b, const Shape& y) {
  if (a.rank() != y.rank() || b.rank() != y.rank()) return false;
  for (int i = 0; i < y.rank(); ++i) {
    if (a[i] != b[i] && a[i] != 1 && b[i] != 1) return false;
    if (y[i] != (a[i] == 1 ? b[i] : a[i])) return false;
  }
  return true;
}

}  // namespace

Refusal breach_of(const ElementwiseBinary& op) {
  const DType dtype = op.a.dtype;
  if (!is_floating(dtype) && dtype != DType::i64) return str("dtype ", dtype);
  if (op.b.dtype != dtype || op.y.dtype != dtype) return "a, b and y have different dtypes";
  if (dtype == DType::i64 && op.kind == BinaryKind::divide) return "i64 is not divided";
  return stretches_to(op.a.shape, op.b.shape, op.y.shape)
             ? ""
             : str("y ", op.y.shape, " is not the broadcast shape of ", op.a.shape, " and ",
                   op.b.shape);
}

Strides broadcast_strides(const ConstView& x, const Shape& shape) {
  Strides strides = x.strides;
  for (int i = 0; i < shape.rank(); ++i) {
    if (x.dim(i) == 1 && shape[i] != 1) strides[i] = 0;
  }
  return strides;
}

}  // namespace burin
