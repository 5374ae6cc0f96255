// Convolution of 16-bit elements in nhwc as a matrix product on tensor cores (gemm_tensor_cores.h).
// The left operand is gathered from the image while it travels to shared memory: no buffer of
// patches in memory.
//   tensor_cores  channels in multiples of 8
//   stem          any channels (an image's three): x and w are copied with channels padded to a
//   multiple of
//                 8 first; forward and backward_weight
//   matmul        1×1 with stride 1: a plain matrix product (matmul.cu)
#include "burin/kernels/cuda/support/conv2d.h"
#include "burin/kernels/cuda/support/conv2d_tensor_tile.h"
#include "burin/kernels/cuda/support/gemm_tensor_cores.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

template <class T>
struct ForwardProduct {
  using Element = T;
  Neighbourhoods<T> left;
  RowMatrix<T> right;
  Output<T> out;
  int M, N, k_end;
  int k_begin = 0;

  __device__ void select(int /*z*/) {}
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    out.store_row(int64_t(m) * N + n, n, sums, count);
  }
};

template <class T>
struct BackwardDataProduct {
  using Element = T;
  Neighbourhoods<T> left;
  FilterColumns<T> right;
  Output<T> out;
  Conv2dGeometry g;
  int N;
  int M = 0, k_begin = 0, k_end = 0;
  AxisClass down{}, across{};

  /// z = class down · stride_w + class across
  __device__ void select(int z) {
    down = AxisClass::of(z / g.stride_w, g.H, g.R, g.stride_h, g.pad_h, g.dilation_h);
    across = AxisClass::of(z % g.stride_w, g.W, g.S, g.stride_w, g.pad_w, g.dilation_w);
    M = g.N * down.extent * across.extent;
    k_end = down.taps * across.taps * g.K;
    left.rows_h = down.extent;
    left.rows_w = across.extent;
    left.M = M;
    left.taps_w = max(across.taps, 1);
    left.h = {1, down.output0, -down.output_step};
    left.w = {1, across.output0, -across.output_step};
    right.tap0_h = down.tap0;
    right.step_h = down.tap_step;
    right.tap0_w = across.tap0;
    right.step_w = across.tap_step;
    right.taps_w = left.taps_w;
  }
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    const int j = m % across.extent, line = m / across.extent;
    const int h = down.first + line % down.extent * g.stride_h, v = across.first + j * g.stride_w;
    const int64_t pixel = (int64_t(line / down.extent) * g.H + h) * g.W + v;
    out.store_row(pixel * N + n, n, sums, count);
  }
};

template <class T>
struct BackwardWeightProduct {
  using Element = T;
  ColumnMatrix<T> left;
  TapColumns<T> right;
  float* parts;  // [split][K][taps · channels]
  PixelSplit split;
  int M, N;
  int k_begin = 0, k_end = 0;

  __device__ void select(int z) {
    k_begin = z * split.pixels;
    k_end = min(k_begin + split.pixels, right.g.N * right.g.P * right.g.Q);
    parts += int64_t(z) * M * N;
  }
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    float* const to = parts + int64_t(m) * N + n;
    for (int i = 0; i < count && i < 8; ++i) to[i] = sums[i];
  }
};

/// Copies rows of `channels` elements into rows of `padded`, the rest zeros: one packet a thread.
template <class T>
__global__ void conv2d_pad_channels(const T* from, T* to, int64_t rows, int channels, int padded) {
  const int packets = padded / 8;
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * packets) return;
  const int64_t row = i / packets;
  const int first = static_cast<int>(i % packets) * 8;
  Packet<T> out;
  for (int c = 0; c < 8; ++c) {
    out.at[c] = first + c < channels ? from[row * channels + first + c] : T(0.0f);
  }
  *reinterpret_cast<Packet<T>*>(to + row * padded + first) = out;
}

int round_up_8(int value) {
  return (value + 7) / 8 * 8;
}

template <class T>
Neighbourhoods<T> neighbourhoods_of_x(const Conv2dGeometry& g, const T* x, int channels) {
  return {x,
          g.H,
          g.W,
          channels,
          g.P,
          g.Q,
          static_cast<int>(g.pixels()),
          g.S,
          {g.stride_h, -g.pad_h, g.dilation_h},
          {g.stride_w, -g.pad_w, g.dilation_w}};
}

template <class T>
void run_forward(const Conv2dForward& op, const T* x, const T* w, int channels, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  const int taps = g.R * g.S * channels;
  const ForwardProduct<T> product{neighbourhoods_of_x(g, x, channels),
                                  {w, taps, g.K},
                                  Output<T>::of(op.y, op.epilogue, g.K % 8 == 0),
                                  static_cast<int>(g.pixels()),
                                  g.K,
                                  taps};
  launch_tensor_cores(product, product.M, g.K, 1, stream);
}

template <class T>
void run_backward_data(const Conv2dBackwardData& op, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  const Neighbourhoods<T> left{op.dy.as<T>(), g.P, g.Q, g.K, 0, 0, 0, 1, {}, {}};
  const FilterColumns<T> right{op.w.as<T>(), g.K, g.R, g.S, g.C, 0, 1, 0, 1, 1};
  const BackwardDataProduct<T> product{left, right, Output<T>::of(op.dx, {}, true), g, g.C};
  const int64_t down = (g.H + g.stride_h - 1) / g.stride_h;
  const int64_t across = (g.W + g.stride_w - 1) / g.stride_w;
  launch_tensor_cores(product, g.N * down * across, g.C, int64_t{g.stride_h} * g.stride_w, stream);
}

PixelSplit split_of(const Conv2dGeometry& g, int channels) {
  const int64_t taps = int64_t{g.R} * g.S * channels;
  const int64_t columns = taps > 64 ? 128 : 64;
  return PixelSplit::of(g.pixels(), ((g.K + 127) / 128) * ((taps + columns - 1) / columns));
}

size_t parts_elements(const Conv2dGeometry& g, int channels) {
  return static_cast<size_t>(int64_t{split_of(g, channels).count} * g.K * g.R * g.S * channels);
}

template <class T>
void run_backward_weight(const Conv2dBackwardWeight& op, const T* x, int channels, float* parts,
                         Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  const PixelSplit split = split_of(g, channels);
  const int taps = g.R * g.S * channels;
  const BackwardWeightProduct<T> product{
      {op.dy.as<T>(), g.K, g.K}, {x, g, channels}, parts, split, g.K, taps};
  launch_tensor_cores(product, g.K, taps, split.count, stream);
  add_weight_parts(parts, split.count, channels, op, stream);
}

/// Calls f with the 16-bit type of `dtype`.
template <class F>
void visit_16(DType dtype, const F& f) {
  if (dtype == DType::bf16) {
    f(TypeTag<__nv_bfloat16>{});
  } else {
    f(TypeTag<__half>{});
  }
}

/// What all three directions and both rungs ask for. `image` is the operand that is gathered.
Refusal refuses(const Conv2dGeometry& g, const ConstView& image, const ConstView& other,
                const ConstView& filter) {
  if (image.dtype != DType::bf16 && image.dtype != DType::f16) return str("dtype ", image.dtype);
  if (g.groups != 1) return "more than one group";
  const bool nhwc =
      image.is_dense(Layout::nhwc) && other.is_dense(Layout::nhwc) && filter.is_dense(Layout::nhwc);
  if (!nhwc) return "an operand is not dense in nhwc";
  if (!is_aligned(image) || !is_aligned(other) || !is_aligned(filter)) {
    return "an operand does not begin at 16 bytes";
  }
  return too_large(g);
}

// -- channels in multiples of 8 -------------------------------------------------------------------

constexpr const char* odd_channels = "channels are no multiple of 8";

Refusal accepts_forward(const Conv2dForward& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = refuses(g, op.x, op.y, op.w); !refusal.empty()) return refusal;
  return g.C % 8 == 0 ? "" : odd_channels;
}
Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = refuses(g, op.dy, op.dx, op.w); !refusal.empty()) return refusal;
  return g.C % 8 == 0 && g.K % 8 == 0 ? "" : odd_channels;
}
Refusal accepts_backward_weight(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (Refusal refusal = refuses(g, op.x, op.dy, op.dw); !refusal.empty()) return refusal;
  return g.C % 8 == 0 && g.K % 8 == 0 ? "" : odd_channels;
}

void forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  visit_16(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_forward(op, op.x.as<T>(), op.w.as<T>(), static_cast<int>(op.x.dim(1)), stream);
  });
}
void backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
  visit_16(op.dy.dtype,
           [&](auto tag) { run_backward_data<typename decltype(tag)::type>(op, stream); });
}
size_t parts_bytes(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  return Workspace::room_for<float>(parts_elements(g, g.C));
}
void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  auto* const parts = workspace.take<float>(parts_elements(g, g.C));
  visit_16(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_backward_weight(op, op.x.as<T>(), g.C, parts, stream);
  });
}

// -- other channels: padded -----------------------------------------------------------------------

template <class T>
T* padded(const ConstView& view, int64_t rows, int channels, T* to, Stream& stream) {
  const int wide = round_up_8(channels);
  launch(conv2d_pad_channels<T>, {blocks_for(rows * (wide / 8), 256), 256, 0, stream}, view.as<T>(),
         to, rows, channels, wide);
  return to;
}

size_t padded_elements(const Shape& shape) {
  return static_cast<size_t>(shape[0] * shape[2] * shape[3] *
                             round_up_8(static_cast<int>(shape[1])));
}

Refusal accepts_stem_forward(const Conv2dForward& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (padded_elements(op.x.shape) >= size_t{1} << 31) return "x with padded channels is too large";
  return refuses(g, op.x, op.y, op.w);
}
size_t stem_forward_bytes(const Conv2dForward& op, const Context& /*context*/) {
  return Workspace::room_for<uint16_t>(padded_elements(op.x.shape)) +
         Workspace::room_for<uint16_t>(padded_elements(op.w.shape));
}
void stem_forward(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_16(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* const x = workspace.take<T>(padded_elements(op.x.shape));
    T* const w = workspace.take<T>(padded_elements(op.w.shape));
    padded(op.x, int64_t{g.N} * g.H * g.W, g.C, x, stream);
    padded(op.w, int64_t{g.K} * g.R * g.S, g.C, w, stream);
    run_forward<T>(op, x, w, round_up_8(g.C), stream);
  });
}

Refusal accepts_stem_backward_weight(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (padded_elements(op.x.shape) >= size_t{1} << 31) return "x with padded channels is too large";
  if (Refusal refusal = refuses(g, op.x, op.dy, op.dw); !refusal.empty()) return refusal;
  return g.K % 8 == 0 ? "" : "output channels are no multiple of 8";
}
size_t stem_backward_weight_bytes(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  return Workspace::room_for<uint16_t>(padded_elements(op.x.shape)) +
         Workspace::room_for<float>(parts_elements(g, round_up_8(g.C)));
}
void stem_backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  visit_16(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* const x = workspace.take<T>(padded_elements(op.x.shape));
    auto* const parts = workspace.take<float>(parts_elements(g, round_up_8(g.C)));
    padded(op.x, int64_t{g.N} * g.H * g.W, g.C, x, stream);
    run_backward_weight<T>(op, x, round_up_8(g.C), parts, stream);
  });
}

// -- 1×1 as a matrix product ----------------------------------------------------------------------

bool is_pointwise(const Conv2dGeometry& g) {
  return g.R == 1 && g.S == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 &&
         g.pad_w == 0 && g.groups == 1;
}

/// [N, C, H, W] in nhwc as the matrix [N·H·W, C].
template <class V>
V as_matrix(const V& view) {
  V matrix = view;
  matrix.shape = {view.dim(0) * view.dim(2) * view.dim(3), view.dim(1)};
  matrix.strides = {view.dim(1), 1};
  return matrix;
}

Matmul forward_as_matmul(const Conv2dForward& op) {
  ConstView w = op.w;
  w.shape = {op.w.dim(1), op.w.dim(0)};
  w.strides = {1, op.w.dim(1)};
  Epilogue epilogue = op.epilogue;
  if (epilogue.residual) epilogue.residual = as_matrix(epilogue.residual);
  return {as_matrix(op.x), w, as_matrix(op.y), epilogue};
}
Matmul backward_data_as_matmul(const Conv2dBackwardData& op) {
  ConstView w = op.w;
  w.shape = {op.w.dim(0), op.w.dim(1)};
  w.strides = {op.w.dim(1), 1};
  return {as_matrix(op.dy), w, as_matrix(op.dx), {}};
}

Refusal accepts_matmul_forward(const Conv2dForward& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (!is_pointwise(g)) return "not 1×1 with stride 1, no pad and one group";
  if (Refusal refusal = refuses(g, op.x, op.y, op.w); !refusal.empty()) return refusal;
  return matmul_tensor_cores_refuses(forward_as_matmul(op));
}
Refusal accepts_matmul_backward_data(const Conv2dBackwardData& op, const Context& /*context*/) {
  const Conv2dGeometry g = Conv2dGeometry::of(op);
  if (!is_pointwise(g)) return "not 1×1 with stride 1, no pad and one group";
  if (Refusal refusal = refuses(g, op.dy, op.dx, op.w); !refusal.empty()) return refusal;
  return matmul_tensor_cores_refuses(backward_data_as_matmul(op));
}
void matmul_forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
  matmul_tensor_cores(forward_as_matmul(op), stream);
}
void matmul_backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
  matmul_tensor_cores(backward_data_as_matmul(op), stream);
}

}  // namespace

void register_conv2d_tensor_cores(Registry& registry) {
  add<Conv2dForward>(
      registry, {.name = "cuda/matmul", .accepts = accepts_matmul_forward, .run = matmul_forward});
  add<Conv2dBackwardData>(registry, {.name = "cuda/matmul",
                                     .accepts = accepts_matmul_backward_data,
                                     .run = matmul_backward_data});
  add<Conv2dForward>(registry,
                     {.name = "cuda/tensor_cores", .accepts = accepts_forward, .run = forward});
  add<Conv2dBackwardData>(
      registry,
      {.name = "cuda/tensor_cores", .accepts = accepts_backward_data, .run = backward_data});
  add<Conv2dBackwardWeight>(registry, {.name = "cuda/tensor_cores",
                                       .accepts = accepts_backward_weight,
                                       .workspace_bytes = parts_bytes,
                                       .run = backward_weight});
  add<Conv2dForward>(registry, {.name = "cuda/stem",
                                .accepts = accepts_stem_forward,
                                .workspace_bytes = stem_forward_bytes,
                                .run = stem_forward});
  add<Conv2dBackwardWeight>(registry, {.name = "cuda/stem",
                                       .accepts = accepts_stem_backward_weight,
                                       .workspace_bytes = stem_backward_weight_bytes,
                                       .run = stem_backward_weight});
}

}  // namespace burin::cuda
