#include "burin/kernels/concat.h"

#include "burin/kernels/cpu/support/copy_elements.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// The part of y from index `first` along `axis` on, as large as `input`.
View slice_like(const View& y, const ConstView& input, int axis, int64_t first) {
  View slice = y;
  slice.shape = input.shape;
  const int64_t bytes = first * y.strides[axis] * static_cast<int64_t>(size_of(y.dtype));
  slice.data = y.as<std::byte>() + bytes;
  return slice;
}

Refusal accepts(const Concat& op, const Context& /*context*/) {
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

void run(const Concat& op, Workspace /*workspace*/, Stream& /*stream*/) {
  int64_t first = 0;
  for (const ConstView& input : op.inputs) {
    copy_elements(input, slice_like(op.y, input, op.axis, first));
    first += input.dim(op.axis);
  }
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_concat(Registry& registry) {
  registry.add<Concat>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
