#include "burin/kernels/normalize_u8.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/level_tables.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t pixel_grain = 16 * 1024;

Refusal accepts(const NormalizeU8& op, const Context& /*context*/) {
  if (op.x.dtype != DType::u8 || !is_floating(op.y.dtype)) {
    return str("from ", op.x.dtype, " to ", op.y.dtype);
  }
  return op.y.is_dense(Layout::nhwc) || op.y.is_dense(Layout::nchw) ? "" : "y is not dense";
}

template <class T>
void run_typed(const NormalizeU8& op) {
  const int64_t N = op.x.dim(0), C = op.x.dim(1), H = op.x.dim(2), W = op.x.dim(3);
  const auto table = level_tables<T>(op.mean, op.std);
  const Strides& xs = op.x.strides;
  const Strides& ys = op.y.strides;
  parallel_for(N * H, ceil_div(pixel_grain, std::max<int64_t>(W, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   const uint8_t* const x = op.x.as<uint8_t>() + row / H * xs[0] + row % H * xs[2];
                   T* const y = op.y.as<T>() + row / H * ys[0] + row % H * ys[2];
                   for (int64_t c = 0; c < C; ++c) {
                     const T* const value = table[static_cast<size_t>(c)].data();
                     const uint8_t* const from = x + c * xs[1];
                     T* const to = y + c * ys[1];
                     for (int64_t w = 0; w < W; ++w) to[w * ys[3]] = value[from[w * xs[3]]];
                   }
                 }
               });
}

void run(const NormalizeU8& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.y.dtype, [&](auto tag) { run_typed<typename decltype(tag)::type>(op); });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_normalize_u8(Registry& registry) {
  registry.add<NormalizeU8>({.name = "cpu", .accepts = cpu::accepts, .run = cpu::run});
}

}  // namespace burin
