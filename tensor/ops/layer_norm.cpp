#include "burin/tensor/ops/layer_norm.h"

#include "burin/kernels/layer_norm.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/same_device.h"
#include "burin/tensor/ops/views.h"

namespace burin {
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float epsilon) {
  check(x.rank() >= 1 && x.is_contiguous(), "layer_norm: input ", x.shape(),
        " must be […, C], contiguous");
  const Shape channels = {x.dim(-1)};
  check(weight.shape() == channels && bias.shape() == channels, "layer_norm: weight ",
        weight.shape(), " and bias ", bias.shape(), " do not fit the last axis of ", x.shape());
  check_f32_lists("layer_norm", {{"weight", weight}, {"bias", bias}});
  check_same_device("layer_norm", {{"x", x}, {"weight", weight}, {"bias", bias}});
  const int64_t rows = as_rows(x).dim(0);
  Tensor y = empty(x.shape(), {x.dtype(), x.device()});
  Tensor mean = empty({rows}, {DType::f32, x.device()});
  Tensor inverse_std = empty({rows}, {DType::f32, x.device()});
  launch(x.device(),
         LayerNormForward{as_rows(x).view(), weight.view(), bias.view(), as_rows(y).writable(),
                          mean.writable(), inverse_std.writable(), epsilon});
  return record("layer_norm", y, {x, weight, bias},
                [x = save(x), weight = save(weight), mean = save(mean),
                 inverse_std = save(inverse_std)](const Tensor& dy, Gradients& grads) {
                  const TensorOptions f32 = {DType::f32, dy.device()};
                  Tensor dx = empty(dy.shape(), {dy.dtype(), dy.device()});
                  Tensor dweight = empty({dy.dim(-1)}, f32);
                  Tensor dbias = empty({dy.dim(-1)}, f32);
                  launch(dy.device(), LayerNormBackward{as_rows(dy).view(), as_rows(x.get()).view(),
                                                        weight.view(), mean.view(),
                                                        inverse_std.view(), as_rows(dx).writable(),
                                                        dweight.writable(), dbias.writable()});
                  if (grads.wanted(0)) grads.set(0, dx);
                  if (grads.wanted(1)) grads.set(1, dweight);
                  if (grads.wanted(2)) grads.set(2, dbias);
                });
}

}  // namespace burin
