// A kernel of one's own: conv2d's forward, as plainly as it can be said. See README.md.
#include <burin/kernels/base/parallel.h>
#include <burin/kernels/conv2d.h>
#include <burin/kernels/plugin.h>

namespace {

using namespace burin;

/// What this kernel does not do, in words; empty for a problem it takes.
Refusal accepts(const Conv2dForward& op, const Context& /*context*/) {
  if (op.x.dtype != DType::f32) return str("dtype ", op.x.dtype, ": it knows f32 only");
  if (!op.epilogue.empty()) return "it has no epilogue";
  return {};
}

/// Where element (a, b, c, d) lies. A layout is nothing but strides, so this serves them all.
int64_t offset(const Strides& strides, int64_t a, int64_t b, int64_t c, int64_t d) {
  return a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
}

/// y[n, k, p, q] = Σ_{c, r, s} x[n, c0 + c, p·stride − pad + r·dilation, …] · w[k, c, r, s]
float element(const Conv2dForward& op, int64_t n, int64_t k, int64_t p, int64_t q) {
  const ConstView& x = op.x;
  const ConstView& w = op.w;
  const Conv2dParams& params = op.params;
  const int64_t first_channel = k / (w.dim(0) / params.groups) * w.dim(1);
  float sum = 0;
  for (int64_t r = 0; r < w.dim(2); ++r) {
    const int64_t h = p * params.stride_h - params.pad_h + r * params.dilation_h;
    if (h < 0 || h >= x.dim(2)) continue;  // padding is zero
    for (int64_t s = 0; s < w.dim(3); ++s) {
      const int64_t column = q * params.stride_w - params.pad_w + s * params.dilation_w;
      if (column < 0 || column >= x.dim(3)) continue;
      for (int64_t c = 0; c < w.dim(1); ++c) {
        sum += x.as<float>()[offset(x.strides, n, first_channel + c, h, column)] *
               w.as<float>()[offset(w.strides, k, c, r, s)];
      }
    }
  }
  return sum;
}

void run(const Conv2dForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const View& y = op.y;  // [N, K, P, Q]
  parallel_for(y.dim(0) * y.dim(1), 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t n = plane / y.dim(1);
      const int64_t k = plane % y.dim(1);
      for (int64_t p = 0; p < y.dim(2); ++p) {
        for (int64_t q = 0; q < y.dim(3); ++q) {
          y.as<float>()[offset(y.strides, n, k, p, q)] = element(op, n, k, p, q);
        }
      }
    }
  });
}

}  // namespace

extern "C" burin::PluginInfo burin_plugin() {
  return {burin::release, burin::contracts_hash, "my_kernel", nullptr,
          [](burin::Registry& registry) {
            registry.add<Conv2dForward>({.name = "my_kernel", .accepts = accepts, .run = run});
          }};
}
