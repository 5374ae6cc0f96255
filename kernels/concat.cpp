#include "burin/kernels/concat.h"

namespace burin {

Refusal breach_of(const Concat& op) {
  if (op.inputs.empty()) return "there are no inputs";
  if (op.axis < 0 || op.axis >= op.y.rank()) {
    return str("axis ", op.axis, " is none of y ", op.y.shape);
  }
  Shape together = op.y.shape;
  together[op.axis] = 0;
  for (const ConstView& input : op.inputs) {
    if (input.dtype != op.y.dtype) return str("an input is ", input.dtype, ", y ", op.y.dtype);
    if (input.rank() != op.y.rank()) return "ranks differ";
    Shape along = input.shape;
    along[op.axis] = op.y.dim(op.axis);
    if (along != op.y.shape) {
      return str("input ", input.shape, " and y ", op.y.shape, " differ beside axis ", op.axis);
    }
    together[op.axis] += input.dim(op.axis);
  }
  return together == op.y.shape ? ""
                                : str("the inputs fill ", together[op.axis], " of y ", op.y.shape,
                                      " along axis ", op.axis);
}

View slice_of(const Concat& op, const ConstView& input, int64_t first) {
  View slice = op.y;
  slice.shape = input.shape;
  const int64_t bytes = first * op.y.strides[op.axis] * static_cast<int64_t>(size_of(op.y.dtype));
  slice.data = op.y.as<std::byte>() + bytes;
  return slice;
}

}  // namespace burin
