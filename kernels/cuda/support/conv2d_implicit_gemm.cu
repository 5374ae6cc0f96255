// Convolution as a matrix product whose left operand is gathered on the fly: any dtype, layout,
// stride, dilation and groups, in f32 on the ordinary units (gemm_registers.h).
//   forward          y  [pixels, K]    = x around each pixel  [pixels, taps]    · w  [taps, K]
//   backward_data    dx [pixels, C]    = dy around each pixel [pixels, taps · K] · w
//   backward_weight  dw [K, taps]      = dyᵀ [K, pixels] · x around each pixel, split over blocks
#include "burin/kernels/cuda/support/conv2d.h"
#include "burin/kernels/cuda/support/conv2d_geometry.h"
#include "burin/kernels/cuda/support/gemm_registers.h"

namespace burin::cuda {
namespace {

/// Where a tap lies: k = (r · S + s) · channels + c.
struct Tap {
  int c, r, s;
  __device__ Tap(int k, int channels, int columns)
      : c(k % channels), r(k / channels / columns), s(k / channels % columns) {}
};

/// A pixel: m = (n · rows + p) · columns + q.
struct Pixel {
  int n, p, q;
  __device__ Pixel(int m, int rows, int columns)
      : n(m / columns / rows), p(m / columns % rows), q(m % columns) {}
};

template <class T>
struct ForwardProduct {
  Conv2dGeometry g;
  Image<const T> x, w;
  Image<T> y;
  Output<T> out;
  int M, N, k_end;
  bool a_along_k, b_along_k;
  int group = 0, k_begin = 0;

  __device__ void select(int z) { group = z; }
  __device__ float a(int m, int k) const {
    const Pixel at(m, g.P, g.Q);
    const Tap tap(k, g.group_c, g.S);
    const int h = at.p * g.stride_h - g.pad_h + tap.r * g.dilation_h;
    const int v = at.q * g.stride_w - g.pad_w + tap.s * g.dilation_w;
    if (h < 0 || h >= g.H || v < 0 || v >= g.W) return 0;
    return x.at(at.n, group * g.group_c + tap.c, h, v);
  }
  __device__ float b(int n, int k) const {
    const Tap tap(k, g.group_c, g.S);
    return w.at(group * g.group_k + n, tap.c, tap.r, tap.s);
  }
  __device__ void store(int m, int n, float sum) const {
    const Pixel at(m, g.P, g.Q);
    const int channel = group * g.group_k + n;
    out.store(y.offset(at.n, channel, at.p, at.q), channel, sum);
  }
};

template <class T>
struct BackwardDataProduct {
  Conv2dGeometry g;
  Image<const T> dy, w;
  Image<T> dx;
  Output<T> out;
  int N;
  bool a_along_k, b_along_k;
  int M = 0, k_begin = 0, k_end = 0, group = 0;
  AxisClass down{}, right{};

  /// z = (group · stride_h + class down) · stride_w + class to the right
  __device__ void select(int z) {
    group = z / g.stride_w / g.stride_h;
    down = AxisClass::of(z / g.stride_w % g.stride_h, g.H, g.R, g.stride_h, g.pad_h, g.dilation_h);
    right = AxisClass::of(z % g.stride_w, g.W, g.S, g.stride_w, g.pad_w, g.dilation_w);
    M = g.N * down.extent * right.extent;
    k_end = down.taps * right.taps * g.group_k;
  }
  __device__ float a(int m, int k) const {
    const Pixel at(m, down.extent, right.extent);
    const Tap tap(k, g.group_k, right.taps);
    const int p = at.p + down.output0 - tap.r * down.output_step;
    const int q = at.q + right.output0 - tap.s * right.output_step;
    if (p < 0 || p >= g.P || q < 0 || q >= g.Q) return 0;
    return dy.at(at.n, group * g.group_k + tap.c, p, q);
  }
  __device__ float b(int n, int k) const {
    const Tap tap(k, g.group_k, right.taps);
    return w.at(group * g.group_k + tap.c, n, down.tap0 + tap.r * down.tap_step,
                right.tap0 + tap.s * right.tap_step);
  }
  __device__ void store(int m, int n, float sum) const {
    const Pixel at(m, down.extent, right.extent);
    const int channel = group * g.group_c + n;
    const int64_t to =
        dx.offset(at.n, channel, down.first + at.p * g.stride_h, right.first + at.q * g.stride_w);
    out.store(to, channel, sum);
  }
};

template <class T>
struct BackwardWeightProduct {
  Conv2dGeometry g;
  Image<const T> dy, x;
  float* parts;  // [split][K][taps]
  PixelSplit split;
  int M, N;
  bool a_along_k, b_along_k;
  int k_begin = 0, k_end = 0, group = 0, part = 0;

  __device__ void select(int z) {
    group = z / split.count;
    part = z % split.count;
    k_begin = part * split.pixels;
    k_end = min(k_begin + split.pixels, g.N * g.P * g.Q);
  }
  __device__ float a(int m, int k) const {
    const Pixel at(k, g.P, g.Q);
    return dy.at(at.n, group * g.group_k + m, at.p, at.q);
  }
  __device__ float b(int n, int k) const {
    const Pixel at(k, g.P, g.Q);
    const Tap tap(n, g.group_c, g.S);
    const int h = at.p * g.stride_h - g.pad_h + tap.r * g.dilation_h;
    const int v = at.q * g.stride_w - g.pad_w + tap.s * g.dilation_w;
    if (h < 0 || h >= g.H || v < 0 || v >= g.W) return 0;
    return x.at(at.n, group * g.group_c + tap.c, h, v);
  }
  __device__ void store(int m, int n, float sum) const {
    parts[(int64_t(part) * g.K + group * g.group_k + m) * N + n] = sum;
  }
};

template <class Op>
Refusal accepts(const Op& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  return too_wide(g);
}

/// Neighbouring channels lie side by side.
template <class V>
bool channels_dense(const V& view) {
  return view.strides[1] == 1;
}

void forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ForwardProduct<T> product{g,
                                    Image<const T>::of(op.x),
                                    Image<const T>::of(op.w),
                                    Image<T>::of(op.y),
                                    Output<T>::of(op.y, op.epilogue, false),
                                    static_cast<int>(g.pixels()),
                                    g.group_k,
                                    g.R * g.S * g.group_c,
                                    channels_dense(op.x),
                                    true};
    launch_registers(product, product.M, g.group_k, g.groups, stream);
  });
}

void backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const BackwardDataProduct<T> product{g,
                                         Image<const T>::of(op.dy),
                                         Image<const T>::of(op.w),
                                         Image<T>::of(op.dx),
                                         Output<T>::of(op.dx, {.residual = op.residual}, false),
                                         g.group_c,
                                         channels_dense(op.dy),
                                         !channels_dense(op.w)};
    const int64_t down = (g.H + g.stride_h - 1) / g.stride_h;
    const int64_t right = (g.W + g.stride_w - 1) / g.stride_w;
    launch_registers(product, g.N * down * right, g.group_c,
                     int64_t{g.groups} * g.stride_h * g.stride_w, stream);
  });
}

PixelSplit split_of(const Conv2dGeometry& g) {
  const int64_t taps = int64_t{g.R} * g.S * g.group_c;
  return PixelSplit::of(g.pixels(), ((g.group_k + 63) / 64) * ((taps + 63) / 64) * g.groups);
}

size_t parts_bytes(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const int64_t parts = split_of(Conv2dGeometry::of(op)).count;
  return Workspace::room_for<float>(static_cast<size_t>(parts * op.dw.numel()));
}

void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  const PixelSplit split = split_of(g);
  auto* const parts = workspace.take<float>(static_cast<size_t>(split.count * op.dw.numel()));
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int taps = g.R * g.S * g.group_c;
    const BackwardWeightProduct<T> product{
        g,    Image<const T>::of(op.dy), Image<const T>::of(op.x), parts, split, g.group_k,
        taps, !channels_dense(op.dy),    !channels_dense(op.x)};
    launch_registers(product, g.group_k, taps, int64_t{g.groups} * split.count, stream);
  });
  add_weight_parts(parts, split.count, g.group_c, op, stream);
}

}  // namespace

void register_conv2d_implicit_gemm(Registry& registry) {
  add<Conv2dForward>(registry, {.name = "cuda/implicit_gemm", .accepts = accepts, .run = forward});
  add<Conv2dBackwardData>(registry,
                          {.name = "cuda/implicit_gemm", .accepts = accepts, .run = backward_data});
  add<Conv2dBackwardWeight>(registry, {.name = "cuda/implicit_gemm",
                                       .accepts = accepts,
                                       .workspace_bytes = parts_bytes,
                                       .run = backward_weight});
}

}  // namespace burin::cuda
