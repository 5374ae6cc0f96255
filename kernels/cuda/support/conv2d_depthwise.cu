// Depthwise convolution (one filter a channel) in nhwc: bound by memory, so each byte of x should
// travel once.
//   forward          a thread computes 16 bytes of channels of four neighbouring outputs: what
//                    overlaps of their neighbourhoods is loaded once; filters in shared memory as
//                    f32
//   backward_data    the same over dy with the filter turned by 180°; stride 1
//   backward_weight  lane = channel, warp = row of the filter, sums in registers over a part of the
//                    pixels
#include "burin/kernels/cuda/support/conv2d.h"
#include "burin/kernels/cuda/support/conv2d_geometry.h"
#include "burin/kernels/cuda/support/output.h"

namespace burin::cuda {
namespace {

constexpr int block_channels = 64;
constexpr int strip = 4;  // neighbouring outputs of a thread
constexpr int threads = 256;
constexpr int widest = 11;  // columns of a filter

/// The strip a thread owns: channels c .. c + Packet<T>::size, outputs q0 .. q0 + strip of row p of
/// image n.
template <class T>
__global__ void __launch_bounds__(threads, 2)
    conv2d_depthwise(Conv2dGeometry g, const T* x, const T* w, bool turned, Output<T> out) {
  constexpr int size = Packet<T>::size, packets = block_channels / size;
  float* const filter = dynamic_shared<float>();  // [R · S][block_channels]
  const int c0 = static_cast<int>(blockIdx.y) * block_channels;
  for (int i = static_cast<int>(threadIdx.x); i < g.R * g.S * block_channels; i += threads) {
    const int channel = c0 + i % block_channels, tap = i / block_channels;
    const int64_t from = int64_t(channel) * g.R * g.S + (turned ? g.R * g.S - 1 - tap : tap);
    filter[i] = channel < g.C ? float(w[from]) : 0.0f;
  }
  __syncthreads();

  const int lane = static_cast<int>(threadIdx.x) % packets, c = c0 + lane * size;
  const int strips = (g.Q + strip - 1) / strip;
  const int64_t item = int64_t(blockIdx.x) * (threads / packets) + threadIdx.x / packets;
  if (c >= g.C || item >= int64_t(g.N) * g.P * strips) return;
  const int q0 = static_cast<int>(item % strips) * strip, p = static_cast<int>(item / strips % g.P);
  const int64_t n = item / strips / g.P;

  float sums[strip][size] = {};
  for (int r = 0; r < g.R; ++r) {
    const int h = p * g.stride_h - g.pad_h + r;
    if (h < 0 || h >= g.H) continue;
    const int columns = (strip - 1) * g.stride_w + g.S;
    for (int j = 0; j < columns; ++j) {
      const int v = q0 * g.stride_w - g.pad_w + j;
      if (v < 0 || v >= g.W) continue;
      const auto in = *reinterpret_cast<const Packet<T>*>(x + ((n * g.H + h) * g.W + v) * g.C + c);
#pragma unroll
      for (int t = 0; t < strip; ++t) {
        const int s = j - t * g.stride_w;
        if (s < 0 || s >= g.S) continue;
        const float* const taps = filter + (r * g.S + s) * block_channels + lane * size;
#pragma unroll
        for (int e = 0; e < size; ++e) sums[t][e] += float(in.at[e]) * taps[e];
      }
    }
  }

#pragma unroll
  for (int t = 0; t < strip; ++t) {
    if (q0 + t >= g.Q) continue;
    const int64_t to = ((n * g.P + p) * g.Q + q0 + t) * g.C + c;
    if constexpr (size == 8) {
      out.store_row(to, c, sums[t], 8);
    } else {
#pragma unroll
      for (int e = 0; e < size; ++e) out.store(to + e, c + e, sums[t][e]);
    }
  }
}

/// Lane = channel, threadIdx.y = row of the filter. Writes parts [split][C][R · S].
template <class T>
__global__ void __launch_bounds__(32 * widest)
    conv2d_depthwise_weight(Conv2dGeometry g, const T* dy, const T* x, float* parts,
                            PixelSplit split) {
  const int c = static_cast<int>(blockIdx.x * 32 + threadIdx.x), r = static_cast<int>(threadIdx.y);
  if (c >= g.C) return;
  const int part = static_cast<int>(blockIdx.y);
  const int end = min((part + 1) * split.pixels, g.N * g.P * g.Q);
  float sums[widest] = {};
  for (int pixel = part * split.pixels; pixel < end; ++pixel) {
    const int q = pixel % g.Q, p = pixel / g.Q % g.P, n = pixel / g.Q / g.P;
    const int h = p * g.stride_h - g.pad_h + r;
    if (h < 0 || h >= g.H) continue;
    const float gradient = float(dy[int64_t(pixel) * g.C + c]);
    const T* const line = x + (int64_t(n) * g.H + h) * g.W * g.C + c;
#pragma unroll
    for (int s = 0; s < widest; ++s) {
      const int v = q * g.stride_w - g.pad_w + s;
      if (s < g.S && v >= 0 && v < g.W) sums[s] += gradient * float(line[int64_t(v) * g.C]);
    }
  }
#pragma unroll
  for (int s = 0; s < widest; ++s) {
    if (s < g.S) parts[((int64_t(part) * g.C + c) * g.R + r) * g.S + s] = sums[s];
  }
}

Refusal refuses(const Conv2dGeometry& g, const ConstView& a, const ConstView& b,
                const ConstView& w) {
  if (!is_floating(a.dtype)) return str("dtype ", a.dtype);
  if (g.group_c != 1 || g.group_k != 1) return "not one filter for each channel";
  if (!a.is_dense(Layout::nhwc) || !b.is_dense(Layout::nhwc) || !w.is_dense(Layout::nhwc)) {
    return "an operand is not dense in nhwc";
  }
  if (g.dilation_h != 1 || g.dilation_w != 1) return "dilation is not 1";
  if (g.S > widest || g.R > widest) return str("the filter is larger than ", widest);
  return too_wide(g);
}

Refusal refuses_packets(const Conv2dGeometry& g, const ConstView& a, const ConstView& b) {
  const int64_t size = 16 / static_cast<int64_t>(size_of(a.dtype));
  if (g.C % size != 0) return str("channels are no multiple of ", size);
  return is_aligned(a) && is_aligned(b) ? "" : "an operand does not begin at 16 bytes";
}

/// g is the geometry of what is computed: backward_data is a convolution of dy.
template <class T>
void run_strips(const Conv2dGeometry& g, const ConstView& x, const ConstView& w, bool turned,
                const Output<T>& out, Stream& stream) {
  const int64_t items = int64_t{g.N} * g.P * ((g.Q + strip - 1) / strip);
  constexpr int items_a_block = threads / (block_channels / Packet<T>::size);
  const dim3 grid(blocks_for(items, items_a_block).x, blocks_for(g.C, block_channels).x);
  const size_t shared_bytes = static_cast<size_t>(g.R * g.S * block_channels) * sizeof(float);
  launch(conv2d_depthwise<T>, {grid, threads, shared_bytes, stream}, g, x.as<T>(), w.as<T>(),
         turned, out);
}

Refusal accepts_forward(const Conv2dForward& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = refuses(g, op.x, op.y, op.w); !refusal.empty()) return refusal;
  return refuses_packets(g, op.x, op.y);
}
void forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_strips<T>(Conv2dGeometry::of(op), op.x, op.w, false, Output<T>::of(op.y, op.epilogue, true),
                  stream);
  });
}

Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = refuses(g, op.dy, op.dx, op.w); !refusal.empty()) return refusal;
  if (g.stride_h != 1 || g.stride_w != 1) return "stride is not 1";
  return refuses_packets(g, op.dy, op.dx);
}
void backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
  Conv2dGeometry g = Conv2dGeometry::of(op);
  std::swap(g.H, g.P);
  std::swap(g.W, g.Q);
  g.pad_h = g.R - 1 - g.pad_h;
  g.pad_w = g.S - 1 - g.pad_w;
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_strips<T>(g, op.dy, op.w, true, Output<T>::of(op.dx, {.residual = op.residual}, true),
                  stream);
  });
}

Refusal accepts_backward_weight(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  return refuses(Conv2dGeometry::of(op), op.dy, op.x, op.dw);
}
PixelSplit split_of(const Conv2dGeometry& g) {
  return PixelSplit::of(g.pixels(), (g.C + 31) / 32);
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
    const dim3 grid(blocks_for(g.C, 32).x, static_cast<unsigned>(split.count));
    launch(conv2d_depthwise_weight<T>, {grid, dim3(32, static_cast<unsigned>(g.R)), 0, stream}, g,
           op.dy.as<T>(), op.x.as<T>(), parts, split);
  });
  add_weight_parts(parts, split.count, 1, op, stream);
}

}  // namespace

void register_conv2d_depthwise(Registry& registry) {
  add<Conv2dForward>(registry,
                     {.name = "cuda/depthwise", .accepts = accepts_forward, .run = forward});
  add<Conv2dBackwardData>(
      registry, {.name = "cuda/depthwise", .accepts = accepts_backward_data, .run = backward_data});
  add<Conv2dBackwardWeight>(registry, {.name = "cuda/depthwise",
                                       .accepts = accepts_backward_weight,
                                       .workspace_bytes = parts_bytes,
                                       .run = backward_weight});
}

}  // namespace burin::cuda
