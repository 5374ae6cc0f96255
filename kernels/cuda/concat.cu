// Concatenation, handwritten.
//   slices  one launch per input: it is copied into its slice of y
#include "burin/kernels/concat.h"

#include "burin/kernels/cuda/support/copy_elements.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

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

void run(const Concat& op, Workspace /*workspace*/, Stream& stream) {
  int64_t first = 0;
  for (const ConstView& input : op.inputs) {
    View slice = op.y;
    slice.shape = input.shape;
    slice.data = op.y.as<std::byte>() +
                 first * op.y.strides[op.axis] * static_cast<int64_t>(size_of(op.y.dtype));
    copy_elements(input, slice, stream);
    first += input.dim(op.axis);
  }
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_concat(Registry& registry) {
  cuda::add<Concat>(registry, {.name = "cuda/slices", .accepts = cuda::accepts, .run = cuda::run});
}

}  // namespace burin
