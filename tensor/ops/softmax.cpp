#include "burin/tensor/ops/softmax.h"

#include "burin/kernels/softmax.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/views.h"

namespace burin {
namespace {

Tensor softmax_over_rows(const Tensor& x, bool log) {
  check(x.rank() >= 1 && x.is_contiguous(), "softmax: input ", x.shape(),
        " must be […, C], contiguous");
  Tensor y = empty(x.shape(), {x.dtype(), x.device()});
  launch(x.device(), SoftmaxForward{as_rows(x).view(), as_rows(y).writable(), log});
  return record(log ? "log_softmax" : "softmax", y, {x},
                [y = save(y), log](const Tensor& dy, Gradients& grads) {
                  Tensor dx = empty(dy.shape(), {dy.dtype(), dy.device()});
                  launch(dy.device(), SoftmaxBackward{as_rows(dy).view(), as_rows(y.get()).view(),
                                                      as_rows(dx).writable(), log});
                  grads.set(0, dx);
                });
}

}  // namespace

Tensor softmax(const Tensor& x) {
  return softmax_over_rows(x, false);
}
Tensor log_softmax(const Tensor& x) {
  return softmax_over_rows(x, true);
}

}  // namespace burin
