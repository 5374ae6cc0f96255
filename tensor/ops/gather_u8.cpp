#include "burin/tensor/ops/gather_u8.h"

#include "burin/kernels/gather_u8.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/f32_list.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {

void gather_u8(const Tensor& table, const Tensor& rows, const Tensor& mean, const Tensor& std,
               Tensor& y) {
  check(table.rank() == 4 && table.dtype() == DType::u8, "gather_u8: table ", table.dtype(), ' ',
        table.shape(), " must be u8 [M, C, H0, W0]");
  check(y.rank() == 4 && y.dim(1) == table.dim(1), "gather_u8: output ", y.shape(),
        " does not fit the table's ", table.dim(1), " channels");
  check(rows.dtype() == DType::i32 && rows.shape() == Shape{y.dim(0), 4}, "gather_u8: rows ",
        rows.dtype(), ' ', rows.shape(), " must be i32 [", y.dim(0), ", 4]");
  check(mean.shape() == Shape{y.dim(1)} && std.shape() == mean.shape(), "gather_u8: mean ",
        mean.shape(), " and std ", std.shape(), " do not fit ", y.dim(1), " channels");
  check(rows.is_contiguous(), "gather_u8: rows must be contiguous");
  check_f32_lists("gather_u8", {{"mean", mean}, {"std", std}});
  check_same_device("gather_u8",
                    {{"table", table}, {"rows", rows}, {"mean", mean}, {"std", std}, {"y", y}});
  launch(y.device(), GatherU8{table.view(), rows.view(), mean.view(), std.view(), y.writable()});
}

}  // namespace burin
