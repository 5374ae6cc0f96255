#include "burin/tensor/ops/normalize_u8.h"

#include "burin/kernels/normalize_u8.h"
#include "burin/tensor/launch.h"

namespace burin {

Tensor normalize_u8(const Tensor& x, const Tensor& mean, const Tensor& std, DType dtype,
                    Layout layout) {
  check(x.rank() == 4 && x.dtype() == DType::u8, "normalize_u8: input ", x.dtype(), ' ', x.shape(),
        " must be u8 [N, C, H, W]");
  check(mean.shape() == Shape{x.dim(1)} && std.shape() == mean.shape(), "normalize_u8: mean ",
        mean.shape(), " and std ", std.shape(), " do not fit ", x.dim(1), " channels");
  Tensor y = empty(x.shape(), {dtype, x.device(), layout});
  launch(x.device(), NormalizeU8{x.view(), mean.view(), std.view(), y.writable()});
  return y;
}

}  // namespace burin
