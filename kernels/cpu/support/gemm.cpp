// The only file that includes Eigen: its templates take seconds to compile.
// Threads are ours (base/parallel.h): Eigen's own would nest inside them.
#define EIGEN_DONT_PARALLELIZE
#include "burin/kernels/cpu/support/gemm.h"

#include <Eigen/Core>

namespace burin::cpu {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using Stride = Eigen::OuterStride<>;

/// Calls use(map) with the Eigen map of `m`.
template <class Use>
void with_map(const ConstMatrix& m, const Use& use) {
  if (m.column_stride == 1 || m.columns == 1) {
    use(Eigen::Map<const RowMajor, 0, Stride>(m.data, m.rows, m.columns, Stride(m.row_stride)));
  } else {
    use(Eigen::Map<const ColumnMajor, 0, Stride>(m.data, m.rows, m.columns,
                                                 Stride(m.column_stride)));
  }
}

}  // namespace

void gemm(const ConstMatrix& a, const ConstMatrix& b, const Matrix& y, bool accumulate) {
  Eigen::Map<RowMajor, 0, Stride> ys(y.data, y.rows, y.columns, Stride(y.row_stride));
  with_map(a, [&](const auto& as) {
    with_map(b, [&](const auto& bs) {
      if (accumulate) {
        ys.noalias() += as * bs;
      } else {
        ys.noalias() = as * bs;
      }
    });
  });
}

}  // namespace burin::cpu
