#include "burin/tensor/tensor.h"

namespace burin {
namespace {

constexpr int64_t print_all_up_to = 1000;
constexpr int64_t edge = 3;  // entries shown at either end of a long dimension

/// Prints the block of `values` behind the first `depth` coordinates, whose first element is
/// `offset`.
void print_block(std::ostream& out, const std::vector<float>& values, const Tensor& tensor,
                 int depth, int64_t offset) {
  if (depth == tensor.rank()) {
    out << values[static_cast<size_t>(offset)];
    return;
  }
  const bool shorten = tensor.numel() > print_all_up_to && tensor.dim(depth) > 2 * edge;
  int64_t stride = 1;
  for (int i = depth + 1; i < tensor.rank(); ++i) stride *= tensor.dim(i);
  out << '[';
  for (int64_t i = 0; i < tensor.dim(depth); ++i) {
    if (shorten && i == edge) {
      out << ", …";
      i = tensor.dim(depth) - edge;
    }
    if (i > 0) out << (depth + 1 < tensor.rank() ? ",\n" : ", ");
    print_block(out, values, tensor, depth + 1, offset + i * stride);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor (undefined)";
  out << "Tensor " << tensor.dtype() << ' ' << tensor.shape() << ' ' << tensor.device() << '\n';
  print_block(out, tensor.to_vector<float>(), tensor, 0, 0);
  return out;
}

}  // namespace burin
