#include "burin/nn/drop_path.h"

#include "burin/tensor/context.h"
#include "burin/tensor/ops/dropout.h"
#include "burin/tensor/ops/elementwise.h"

namespace burin::nn {

Tensor DropPath::forward(const Tensor& x) {
  if (!active()) return x;
  Shape each = Shape::filled(x.rank(), 1);
  each[0] = x.dim(0);

  const Tensor keep = [&] {
    const NoGradGuard no_grad;
    return dropout(full(each, 1, {x.dtype(), x.device()}), p, *generator);
  }();
  return multiply(x, keep);
}

}  // namespace burin::nn
