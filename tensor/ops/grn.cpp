#include "burin/tensor/ops/grn.h"

#include "burin/kernels/grn.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {
namespace {

/// [N, …, C] → [N, M, C]
Tensor as_positions(const Tensor& x) {
  const int64_t N = x.dim(0), C = x.dim(-1);
  const int64_t M = N * C == 0 ? 0 : x.numel() / (N * C);
  return x.alias({N, M, C}, {M * C, C, 1});
}

}  // namespace

Tensor grn(const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon) {
  check(x.rank() >= 3 && x.is_contiguous(), "grn: input ", x.shape(),
        " must be [N, …, C], contiguous");
  const Shape channels = {x.dim(-1)};
  check(weight.shape() == channels && bias.shape() == channels, "grn: weight ", weight.shape(),
        " and bias ", bias.shape(), " do not fit the last axis of ", x.shape());
  check_f32_lists("grn", {{"weight", weight}, {"bias", bias}});
  check_same_device("grn", {{"x", x}, {"weight", weight}, {"bias", bias}});
  const Tensor y = empty(x.shape(), {x.dtype(), x.device()});
  Tensor norm = empty({x.dim(0), x.dim(-1)}, {DType::f32, x.device()});
  launch(x.device(), GrnForward{as_positions(x).view(), weight.view(), bias.view(),
                                as_positions(y).writable(), norm.writable(), epsilon});
  return record("grn", y, {x, weight, bias},
                [x = save(x), weight = save(weight), norm = save(norm), epsilon](const Tensor& dy,
                                                                                 Gradients& grads) {
                  const TensorOptions f32 = {DType::f32, dy.device()};
                  const Tensor dx = empty(dy.shape(), {dy.dtype(), dy.device()});
                  Tensor dweight = empty({dy.dim(-1)}, f32);
                  Tensor dbias = empty({dy.dim(-1)}, f32);
                  launch(dy.device(),
                         GrnBackward{as_positions(dy).view(), as_positions(x.get()).view(),
                                     weight.view(), norm.view(), as_positions(dx).writable(),
                                     dweight.writable(), dbias.writable(), epsilon});
                  if (grads.wanted(0)) grads.set(0, dx);
                  if (grads.wanted(1)) grads.set(1, dweight);
                  if (grads.wanted(2)) grads.set(2, dbias);
                });
}

}  // namespace burin
