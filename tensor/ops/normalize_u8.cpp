#include "burin/tensor/ops/normalize_u8.h"

#include "burin/kernels/normalize_u8.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {

Tensor normalize_u8(const Tensor& x, const Tensor& mean, const Tensor& std, DType dtype,
                    Layout layout) {
  Tensor y = empty(x.shape(), {dtype, x.device(), layout});
  normalize_u8(x, mean, std, y);
  return y;
}

void normalize_u8(const Tensor& x, const Tensor& mean, const Tensor& std, Tensor& y) {
  check(x.rank() == 4 && x.dtype() == DType::u8, "normalize_u8: input ", x.dtype(), ' ', x.shape(),
        " must be u8 [N, C, H, W]");
  check(mean.shape() == Shape{x.dim(1)} && std.shape() == mean.shape(), "normalize_u8: mean ",
        mean.shape(), " and std ", std.shape(), " do not fit ", x.dim(1), " channels");
  check(y.shape() == x.shape(), "normalize_u8: output ", y.shape(), " is not shaped as the input ",
        x.shape());
  check_f32_lists("normalize_u8", {{"mean", mean}, {"std", std}});
  check_same_device("normalize_u8", {{"x", x}, {"mean", mean}, {"std", std}, {"y", y}});
  launch(x.device(), NormalizeU8{x.view(), mean.view(), std.view(), y.writable()});
}

}  // namespace burin
