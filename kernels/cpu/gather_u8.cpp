#include "burin/kernels/gather_u8.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/level_tables.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t pixel_grain = 16 * 1024;

Refusal accepts(const GatherU8& op, const Context& /*context*/) {
  if (op.table.dtype != DType::u8 || !is_floating(op.y.dtype)) {
    return str("from ", op.table.dtype, " to ", op.y.dtype);
  }
  return op.y.is_dense(Layout::nhwc) || op.y.is_dense(Layout::nchw) ? "" : "y is not dense";
}

template <class T>
void run_typed(const GatherU8& op) {
  const int64_t N = op.y.dim(0), C = op.y.dim(1), H = op.y.dim(2), W = op.y.dim(3);
  const int64_t H0 = op.table.dim(2), W0 = op.table.dim(3);
  const auto value = level_tables<T>(op.mean, op.std);
  const Strides& xs = op.table.strides;
  const Strides& ys = op.y.strides;
  const auto fill_line = [&](int64_t n, int64_t h) {
    const int32_t* const row = op.rows.as<int32_t>() + 4 * n;
    const int64_t from_h = row[2] + h;
    const uint8_t* const x = op.table.as<uint8_t>() + row[0] * xs[0];
    T* const y = op.y.as<T>() + n * ys[0] + h * ys[2];
    for (int64_t w = 0; w < W; ++w) {
      const int64_t from_w = row[1] + (row[3] != 0 ? W - 1 - w : w);
      const bool inside = from_h >= 0 && from_h < H0 && from_w >= 0 && from_w < W0;
      for (int64_t c = 0; c < C; ++c) {
        const size_t level = inside ? x[c * xs[1] + from_h * xs[2] + from_w * xs[3]] : 0;
        y[c * ys[1] + w * ys[3]] = value[static_cast<size_t>(c)][level];
      }
    }
  };
  parallel_for(N * H, ceil_div(pixel_grain, std::max<int64_t>(W, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) fill_line(line / H, line % H);
               });
}

void run(const GatherU8& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.y.dtype, [&](auto tag) { run_typed<typename decltype(tag)::type>(op); });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_gather_u8(Registry& registry) {
  registry.add<GatherU8>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
