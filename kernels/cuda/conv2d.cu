// Convolution, handwritten, three directions. From plain to fast; `--impl conv2d=cuda/<name>` runs
// one.
//   direct         one thread per element of the result, nothing     reads x R·S·K times
//                  shared; a warp per element of dw
//   tiled          16×16 outputs a block, image and filter in        forward only
//                  shared memory
//   implicit_gemm  a matrix product that gathers its left operand support/conv2d_implicit_gemm.cu
//                  on the fly; 64×64 sums a block, f32
//   matmul         1×1 with stride 1 is a matrix product             support/conv2d_tensor_cores.cu
//   depthwise      one filter a channel: 16 bytes of channels and     support/conv2d_depthwise.cu
//                  four neighbouring outputs a thread
//   tensor_cores   implicit_gemm for 16-bit nhwc on tensor cores, support/conv2d_tensor_cores.cu
//                  tiles by cp.async, no buffer of patches in memory;
//                  `stem`: the same of padded copies (conv2d_stem)
//   warpgroup      the same with Hopper's wgmma, which multiplies  support/conv2d_warpgroup.cu
//                  in the background while tiles arrive; also
//                  `stem_warpgroup` and `matmul_warpgroup`
//   cluster        tensor_cores for an image or two, forward: the  support/conv2d_cluster.cu
//                  sum is divided among the blocks of a cluster;
//                  not yet run on a GPU
#include "burin/kernels/conv2d.h"

#include "burin/kernels/cuda/support/conv2d.h"
#include "burin/kernels/cuda/support/conv2d_geometry.h"
#include "burin/kernels/cuda/support/conv2d_parts.h"
#include "burin/kernels/cuda/support/output.h"

namespace burin::cuda {
namespace {

template <class T>
__global__ void conv2d_forward_direct(Conv2dGeometry g, Image<const T> x, Image<const T> w,
                                      Image<T> y, Output<T> out) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= int64_t(g.N) * g.K * g.P * g.Q) return;
  const int k = static_cast<int>(i % g.K), q = static_cast<int>(i / g.K % g.Q);
  const int p = static_cast<int>(i / g.K / g.Q % g.P), n = static_cast<int>(i / g.K / g.Q / g.P);
  float sum = 0;
  for (int r = 0; r < g.R; ++r) {
    const int h = p * g.stride_h - g.pad_h + r * g.dilation_h;
    if (h < 0 || h >= g.H) continue;
    for (int s = 0; s < g.S; ++s) {
      const int v = q * g.stride_w - g.pad_w + s * g.dilation_w;
      if (v < 0 || v >= g.W) continue;
      for (int c = 0; c < g.group_c; ++c) {
        sum += x.at(n, k / g.group_k * g.group_c + c, h, v) * w.at(k, c, r, s);
      }
    }
  }
  out.store(y.offset(n, k, p, q), k, sum);
}

template <class T>
__global__ void conv2d_backward_data_direct(Conv2dGeometry g, Image<const T> dy, Image<const T> w,
                                            Image<T> dx, Output<T> out) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= int64_t(g.N) * g.C * g.H * g.W) return;
  const int c = static_cast<int>(i % g.C), v = static_cast<int>(i / g.C % g.W);
  const int h = static_cast<int>(i / g.C / g.W % g.H), n = static_cast<int>(i / g.C / g.W / g.H);
  const int k0 = c / g.group_c * g.group_k;
  float sum = 0;
  for (int r = 0; r < g.R; ++r) {
    const int down = h + g.pad_h - r * g.dilation_h;
    if (down < 0 || down % g.stride_h != 0 || down / g.stride_h >= g.P) continue;
    for (int s = 0; s < g.S; ++s) {
      const int right = v + g.pad_w - s * g.dilation_w;
      if (right < 0 || right % g.stride_w != 0 || right / g.stride_w >= g.Q) continue;
      for (int k = k0; k < k0 + g.group_k; ++k) {
        sum += dy.at(n, k, down / g.stride_h, right / g.stride_w) * w.at(k, c % g.group_c, r, s);
      }
    }
  }
  out.store(dx.offset(n, c, h, v), c, sum);
}

/// One warp per element of dw; the lanes share its pixels.
template <class T, class D>
__global__ void conv2d_backward_weight_direct(Conv2dGeometry g, Image<const T> dy, Image<const T> x,
                                              Image<D> dw) {
  const int64_t i = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (i >= int64_t(g.K) * g.group_c * g.R * g.S) return;  // a whole warp leaves together
  const int c = static_cast<int>(i % g.group_c), s = static_cast<int>(i / g.group_c % g.S);
  const int r = static_cast<int>(i / g.group_c / g.S % g.R);
  const int k = static_cast<int>(i / g.group_c / g.S / g.R);
  const int channel = k / g.group_k * g.group_c + c;
  float sum = 0;
  for (int pixel = static_cast<int>(threadIdx.x) % 32; pixel < g.N * g.P * g.Q; pixel += 32) {
    const int q = pixel % g.Q, p = pixel / g.Q % g.P, n = pixel / g.Q / g.P;
    const int h = p * g.stride_h - g.pad_h + r * g.dilation_h;
    const int v = q * g.stride_w - g.pad_w + s * g.dilation_w;
    if (h < 0 || h >= g.H || v < 0 || v >= g.W) continue;
    sum += dy.at(n, k, p, q) * x.at(n, channel, h, v);
  }
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
  if (threadIdx.x % 32 == 0) dw.data[dw.offset(k, c, r, s)] = D(sum);
}

/// 16×16 outputs of one channel and image a block. Of each input channel the part of the image
/// under them and the filter lie in shared memory.
template <class T>
__global__ void conv2d_forward_tiled(Conv2dGeometry g, Image<const T> x, Image<const T> w,
                                     Image<T> y, Output<T> out) {
  const int height = 15 * g.stride_h + (g.R - 1) * g.dilation_h + 1;
  const int width = 15 * g.stride_w + (g.S - 1) * g.dilation_w + 1;
  float* const image = dynamic_shared<float>();
  float* const filter = image + height * width;
  const int across = (g.Q + 15) / 16, column = static_cast<int>(threadIdx.x) % 16;
  const int row = static_cast<int>(threadIdx.x) / 16;
  const int p0 = static_cast<int>(blockIdx.x) / across * 16,
            q0 = static_cast<int>(blockIdx.x) % across * 16;
  const int k = static_cast<int>(blockIdx.y), n = static_cast<int>(blockIdx.z);

  float sum = 0;
  for (int c = 0; c < g.group_c; ++c) {
    const int channel = k / g.group_k * g.group_c + c;
    for (int i = static_cast<int>(threadIdx.x); i < height * width; i += 256) {
      const int h = p0 * g.stride_h - g.pad_h + i / width,
                v = q0 * g.stride_w - g.pad_w + i % width;
      image[i] = h >= 0 && h < g.H && v >= 0 && v < g.W ? x.at(n, channel, h, v) : 0.0f;
    }
    for (int i = static_cast<int>(threadIdx.x); i < g.R * g.S; i += 256) {
      filter[i] = w.at(k, c, i / g.S, i % g.S);
    }
    __syncthreads();
    for (int r = 0; r < g.R; ++r) {
      const float* const line = image + (row * g.stride_h + r * g.dilation_h) * width;
      for (int s = 0; s < g.S; ++s) {
        sum += line[column * g.stride_w + s * g.dilation_w] * filter[r * g.S + s];
      }
    }
    __syncthreads();
  }
  const int p = p0 + row, q = q0 + column;
  if (p < g.P && q < g.Q) out.store(y.offset(n, k, p, q), k, sum);
}

/// The sum of the parts, [count][K · R · S][channels], written as dw.
template <class D>
__global__ void conv2d_add_weight_parts(const float* parts, PartsSum<float> parts_sum, int channels,
                                        Image<D> dw, int group_c, int R, int S) {
  const float sum = parts_sum.add(parts);
  const int i = parts_sum.element(), tap = i / channels, c = i - tap * channels;
  if (!parts_sum.has_sum() || c >= group_c) return;
  dw.data[dw.offset(tap / S / R, c, tap / S % R, tap % S)] = D(sum);
}

/// The same where dw lies in memory as a part does.
template <class D>
__global__ void conv2d_add_flat_parts(const FourFloats* parts, PartsSum<FourFloats> parts_sum,
                                      D* dw) {
  const FourFloats sum = parts_sum.add(parts);
  if (!parts_sum.has_sum()) return;
  D* const to = dw + int64_t(parts_sum.element()) * 4;
  for (int k = 0; k < 4; ++k) to[k] = D(sum.at[k]);
}

template <class Op>
Refusal accepts(const Op& op, const Context& /*context*/) {
  return too_large(Conv2dGeometry::of(op));
}

void forward_direct(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(conv2d_forward_direct<T>, {blocks_for(op.y.numel(), 256), 256, 0, stream},
           Conv2dGeometry::of(op), Image<const T>::of(op.x), Image<const T>::of(op.w),
           Image<T>::of(op.y), Output<T>::of(op.y, op.epilogue, false));
  });
}

void backward_data_direct(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(conv2d_backward_data_direct<T>, {blocks_for(op.dx.numel(), 256), 256, 0, stream},
           Conv2dGeometry::of(op), Image<const T>::of(op.dy), Image<const T>::of(op.w),
           Image<T>::of(op.dx), Output<T>::of(op.dx, {.residual = op.residual}, false));
  });
}

void backward_weight_direct(const Conv2dBackwardWeight& op, Workspace /*workspace*/,
                            Stream& stream) {
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto run = [&](auto kernel, auto dw) {
      launch(kernel, {blocks_for(op.dw.numel(), 8), 256, 0, stream}, Conv2dGeometry::of(op),
             Image<const T>::of(op.dy), Image<const T>::of(op.x), dw);
    };
    if (op.dw.dtype == DType::f32) {
      run(conv2d_backward_weight_direct<T, float>, Image<float>::of(op.dw));
    } else {
      run(conv2d_backward_weight_direct<T, T>, Image<T>::of(op.dw));
    }
  });
}

size_t tiled_bytes(const Conv2dGeometry& g) {
  const int64_t height = 15 * g.stride_h + (g.R - 1) * g.dilation_h + 1;
  const int64_t width = 15 * g.stride_w + (g.S - 1) * g.dilation_w + 1;
  return static_cast<size_t>(height * width + int64_t{g.R} * g.S) * sizeof(float);
}

Refusal accepts_tiled(const Conv2dForward& op, const Context& context) {
  if (Refusal refusal = accepts(op, context); !refusal.empty()) return refusal;
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (g.N >= 65536 || g.K >= 65536) return "more than 65535 images or channels";
  return tiled_bytes(g) <= 48 * 1024 ? "" : "the image under 16×16 outputs is too large to share";
}

void forward_tiled(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const unsigned tiles = static_cast<unsigned>(int64_t{(g.P + 15) / 16} * ((g.Q + 15) / 16));
    launch(conv2d_forward_tiled<T>,
           {dim3(tiles, static_cast<unsigned>(g.K), static_cast<unsigned>(g.N)), 256,
            tiled_bytes(g), stream},
           g, Image<const T>::of(op.x), Image<const T>::of(op.w), Image<T>::of(op.y),
           Output<T>::of(op.y, op.epilogue, false));
  });
}

}  // namespace

Refusal too_large(const Conv2dGeometry& g) {
  constexpr int64_t limit = int64_t{1} << 31;
  const bool fits = int64_t{g.N} * g.C * g.H * g.W < limit && g.pixels() * g.K < limit &&
                    int64_t{g.K} * g.group_c * g.R * g.S < limit;
  return fits ? "" : "an operand has 2³¹ elements or more";
}

Refusal too_wide(const Conv2dGeometry& g) {
  if (Refusal refusal = too_large(g); !refusal.empty()) return refusal;
  constexpr int64_t most = 65535, most_columns = 64 * most;
  const bool fits = g.group_k <= most_columns && int64_t{g.R} * g.S * g.group_c <= most_columns &&
                    int64_t{g.groups} * g.stride_h * g.stride_w <= most;
  return fits ? "" : "more channels, taps or groups than a grid has blocks for";
}

void add_weight_parts(const float* parts, int count, int channels, const Conv2dBackwardWeight& op,
                      Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  const int64_t elements = int64_t{g.K} * g.R * g.S * channels;
  const bool is_flat = channels == g.group_c && elements % 4 == 0 && op.dw.is_dense(Layout::nhwc);
  visit_element(op.dw.dtype, [&](auto tag) {
    using D = typename decltype(tag)::type;
    if (is_flat) {
      const auto sum = PartsSum<FourFloats>::of(count, elements / 4);
      launch_overlapped(conv2d_add_flat_parts<D>, sum.config(stream),
                        reinterpret_cast<const FourFloats*>(parts), sum, op.dw.as<D>());
    } else {
      const auto sum = PartsSum<float>::of(count, elements);
      launch_overlapped(conv2d_add_weight_parts<D>, sum.config(stream), parts, sum, channels,
                        Image<D>::of(op.dw), g.group_c, g.R, g.S);
    }
  });
}

}  // namespace burin::cuda

namespace burin {

void register_cuda_conv2d(Registry& registry) {
  cuda::register_conv2d_warpgroup(registry);
  cuda::register_conv2d_tensor_cores(registry);
  cuda::register_conv2d_cluster(registry);
  cuda::register_conv2d_depthwise(registry);
  cuda::register_conv2d_implicit_gemm(registry);
  cuda::add<Conv2dForward>(registry, {.name = "cuda/tiled",
                                      .place = place::plain,
                                      .accepts = cuda::accepts_tiled,
                                      .run = cuda::forward_tiled});
  cuda::add<Conv2dForward>(registry, {.name = "cuda/direct",
                                      .place = place::plain,
                                      .accepts = cuda::accepts,
                                      .run = cuda::forward_direct});
  cuda::add<Conv2dBackwardData>(registry, {.name = "cuda/direct",
                                           .place = place::plain,
                                           .accepts = cuda::accepts,
                                           .run = cuda::backward_data_direct});
  cuda::add<Conv2dBackwardWeight>(registry, {.name = "cuda/direct",
                                             .place = place::plain,
                                             .accepts = cuda::accepts,
                                             .run = cuda::backward_weight_direct});
}

}  // namespace burin
