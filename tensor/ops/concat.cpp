#include "burin/tensor/ops/concat.h"

#include "burin/kernels/concat.h"
#include "burin/kernels/copy.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {

Tensor concat(const std::vector<Tensor>& tensors, int axis) {
  check(!tensors.empty(), "concat: nothing to put together");
  const Tensor& first = tensors.front();
  const int dim = axis < 0 ? axis + first.rank() : axis;
  check(dim >= 0 && dim < first.rank(), "concat: axis ", axis, " of ", first.shape());
  Concat op;
  op.axis = dim;
  Shape shape = first.shape();
  shape[dim] = 0;
  for (const Tensor& x : tensors) {
    Shape expected = first.shape();
    check(x.rank() == expected.rank(), "concat: ", x.shape(), " and ", first.shape(),
          " differ in rank");
    expected[dim] = x.dim(dim);
    check(x.shape() == expected && x.dtype() == first.dtype(), "concat: ", x.dtype(), ' ',
          x.shape(), " and ", first.dtype(), ' ', first.shape(), " must agree but along axis ",
          dim);
    check_same_device("concat", {{"the first tensor", first}, {"another", x}});
    shape[dim] += x.dim(dim);
    op.inputs.push_back(x.view());
  }
  Tensor y = empty(shape, first.options());
  op.y = y.writable();
  launch(first.device(), op);

  std::vector<int64_t> extents;
  for (const Tensor& x : tensors) extents.push_back(x.dim(dim));
  return record("concat", y, tensors, [extents, dim](const Tensor& dy, Gradients& grads) {
    int64_t begin = 0;
    for (size_t i = 0; i < extents.size(); ++i) {
      if (grads.wanted(static_cast<int>(i))) {
        Shape part = dy.shape();
        part[dim] = extents[i];
        const Tensor slice = dy.alias(part, dy.strides(), begin * dy.strides()[dim]);
        Tensor dx = empty(part, dy.options());
        launch(dy.device(), Copy{slice.view(), dx.writable()});
        grads.set(static_cast<int>(i), dx);
      }
      begin += extents[i];
    }
  });
}

}  // namespace burin
