#include "burin/tensor/ops/softmax.h"

#include "burin/kernels/softmax.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"

namespace burin {
namespace {

/// Seen as [rows, C].
Tensor as_rows(const Tensor& x) {
  check(x.rank() >= 1 && x.is_contiguous(), "softmax: input ", x.shape(), " must be contiguous");
  const int64_t C = x.dim(-1);
  return x.alias({C > 0 ? x.numel() / C : 0, C}, {C, 1});
}

Tensor softmax_over_rows(const Tensor& x, bool log) {
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
