// Batch normalisation, ReLU and max pooling in one, handwritten. The largest of a window is found
// in x; only it is normalised. `--impl batch_norm_max_pool=cuda/<name>` runs one.
//   naive   one thread per channel for sums, per element of the result for the rest; either layout
//   vector  nhwc, C a multiple of 8: sums as batch_norm.cu makes them, pooling and its gradient as
//           pool2d.cu does, 80 bytes of loads in flight and more
// Backward's sums read what is pooled only; dx gathers from the windows an element lies in. No
// atomics, one order. Kernels: support/batch_norm_max_pool_vector.h.
#include "burin/kernels/batch_norm_max_pool.h"

#include "burin/kernels/cuda/support/batch_norm_max_pool_vector.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/image_geometry.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

using PlainAxes = Axes<PoolAxis<int64_t>>;

template <class T>
__global__ void normal_max_naive(PooledNormal<T> op, Image in, Image out, PlainAxes axes,
                                 int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = out.position(i);
  const Range<int64_t> rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  const float scale = op.inverse_std[at.c] * op.weight[at.c];
  float largest = -INFINITY;
  int64_t number = 0;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const float value = float(op.x[in.offset(at.n, at.c, h, w)]) * direction_of(scale);
      if (value > largest) {
        largest = value;
        number = (h - axes.h.start(at.h)) * axes.w.kernel + w - axes.w.start(at.w);
      }
    }
  }
  largest *= direction_of(scale);
  const float normal = (largest - op.mean[at.c]) * scale + op.bias[at.c];
  const T y = T(normal <= 0 ? 0.0f : normal);  // NaN passes
  op.y[i] = y;
  op.chosen[i] = T(largest);
  op.index[i] = float(y) <= 0 ? stopped_by_relu : static_cast<uint8_t>(number);
}

template <class T>
__global__ void normal_max_backward_naive(PooledInputGradient<T> op, const DxFactors* factors,
                                          Image in, Image out, PlainAxes axes, int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = in.position(i);
  const Range<int64_t> rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  float g = 0;
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      const int64_t o = out.offset(at.n, at.c, p, q);
      const int64_t row = at.h - axes.h.start(p), column = at.w - axes.w.start(q);
      if (op.index[o] == row * axes.w.kernel + column) g += float(op.dy[o]);
    }
  }
  const DxFactors& f = factors[at.c];
  const float centred = float(op.x[i]) - op.mean[at.c];
  op.dx[i] = T(f.scale * g - f.from_bias - centred * f.from_weight);
}

// ---- forward

template <bool vector>
size_t train_workspace(const BatchNormMaxPoolTrain& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  const auto C = static_cast<size_t>(channels.C);
  if (!vector) return Workspace::room_for<Moments>(C);
  return Workspace::room_for<double>(RowGrid::of(Rows::of(channels)).sums()) +
         Workspace::room_for<float>(C);
}

template <class T>
void queue_statistics(const T* x, Workspace workspace, const Statistics& to,
                      const Channels& channels, Stream& stream) {
  const dim3 grid = blocks_for(channels.C, threads);
  auto* const moments = workspace.take<Moments>(static_cast<size_t>(channels.C));
  launch(moments_naive<T>, {grid, threads, 0, stream}, x, moments, channels);
  launch(finish_statistics, {grid, threads, 0, stream}, moments, to, channels.C);
}

template <class T>
void queue_statistics_vector(const T* x, Workspace workspace, const Statistics& to,
                             const Channels& channels, Stream& stream) {
  const Rows rows = Rows::of(channels);
  const RowGrid over = RowGrid::of(rows);
  auto* const sums = workspace.take<double>(over.sums());
  auto* const shift = workspace.take<float>(static_cast<size_t>(channels.C));
  launch_overlapped(shifted_sums_vector<T>, {over.grid, over.block, 0, stream}, x, sums, shift,
                    rows);
  launch_overlapped(join_statistics, {dim3(over.grid.x), over.block, 0, stream},
                    BatchStatistics{sums, shift, over.parts(), to}, rows);
}

template <bool vector>
void train(const BatchNormMaxPoolTrain& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const Statistics statistics = Statistics::of(op);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PooledNormal<T> normal{
        op.x.as<T>(),          op.mean.as<float>(),   op.inverse_std.as<float>(),
        op.weight.as<float>(), op.bias.as<float>(),   op.y.as<T>(),
        op.chosen.as<T>(),     op.index.as<uint8_t>()};
    if constexpr (vector) {
      const Pixels out = Pixels::of(op.y);
      const PoolGrid grid = PoolGrid::over(out);
      queue_statistics_vector(normal.x, workspace, statistics, channels, stream);
      launch_overlapped(normal_max_vector<T>, {grid.grid, grid.block, 0, stream}, normal,
                        Pixels::of(op.x), out, axes_of<int>(op.x, op.y, op.params), grid.across);
    } else {
      const Layout layout = common_layout(op.x, op.y);
      const Image out = Image::of(op.y, layout);
      queue_statistics(normal.x, workspace, statistics, channels, stream);
      launch(normal_max_naive<T>, {blocks_for(out.numel(), threads), threads, 0, stream}, normal,
             Image::of(op.x, layout), out, axes_of<int64_t>(op.x, op.y, op.params), out.numel());
    }
  });
}

// ---- backward

template <bool vector>
size_t backward_workspace(const BatchNormMaxPoolBackward& op, const Context& /*context*/) {
  const Channels pooled = Channels::of(op.dy);
  const auto C = static_cast<size_t>(pooled.C);
  if (!vector) return Workspace::room_for<double>(2 * C) + Workspace::room_for<DxFactors>(C);
  return Workspace::room_for<double>(RowGrid::of(Rows::of(pooled)).sums()) +
         Workspace::room_for<float>(3 * C);
}

template <class T>
void queue_gradients(const PooledGradient<T>& in, const PooledInputGradient<T>& op,
                     const BatchNormMaxPoolBackward& of, Workspace workspace,
                     const ParameterGradients& to, Stream& stream) {
  const Channels pooled = Channels::of(of.dy);
  const int64_t C = pooled.C;
  const dim3 grid = blocks_for(C, threads);
  auto* const sums = workspace.take<double>(static_cast<size_t>(2 * C));
  auto* const factors = workspace.take<DxFactors>(static_cast<size_t>(C));
  launch(gradient_sums_naive<PooledGradient<T>>, {grid, threads, 0, stream}, in, sums, pooled);
  launch(finish_gradients, {grid, threads, 0, stream}, sums, to, factors, C);
  const Layout layout = common_layout(of.x, of.dy);
  const Image image = Image::of(of.x, layout), out = Image::of(of.dy, layout);
  launch(normal_max_backward_naive<T>, {blocks_for(image.numel(), threads), threads, 0, stream}, op,
         factors, image, out, axes_of<int64_t>(of.x, of.dy, of.params), image.numel());
}

template <class T>
void queue_gradients_vector(const PooledGradient<T>& in, PooledInputGradient<T> op,
                            const BatchNormMaxPoolBackward& of, Workspace workspace,
                            const ParameterGradients& to, Stream& stream) {
  const Rows rows = Rows::of(Channels::of(of.dy));
  const RowGrid over = RowGrid::of(rows);
  auto* const sums = workspace.take<double>(over.sums());
  op.factors = {workspace.take<float>(static_cast<size_t>(3 * rows.C)), rows.C};
  launch_overlapped(gradient_sums_vector<T, PooledGradient<T>>, {over.grid, over.block, 0, stream},
                    in, sums, rows);
  launch_overlapped(join_gradients, {dim3(over.grid.x), over.block, 0, stream}, sums, over.parts(),
                    to, op.factors, rows);
  const Pixels image = Pixels::of(of.x);
  const PoolGrid grid = PoolGrid::over(patches_of(image));
  launch_overlapped(normal_max_backward_vector<T>, {grid.grid, grid.block, 0, stream}, op, image,
                    Pixels::of(of.dy), axes_of<int>(of.x, of.dy, of.params), grid.across);
}

template <bool vector>
void backward(const BatchNormMaxPoolBackward& op, Workspace workspace, Stream& stream) {
  const ParameterGradients gradients = ParameterGradients::of(op, true);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PooledGradient<T> in{op.dy.as<T>(), op.chosen.as<T>(), op.index.as<uint8_t>(),
                               op.mean.as<float>()};
    const PooledInputGradient<T> apply{in.dy, in.index, op.x.as<T>(), in.mean, {}, op.dx.as<T>()};
    if constexpr (vector) {
      queue_gradients_vector(in, apply, op, workspace, gradients, stream);
    } else {
      queue_gradients(in, apply, op, workspace, gradients, stream);
    }
  });
}

// ---- what is taken

template <bool vector>
Refusal refuse(const ConstView& x, const ConstView& pooled, const ConstView& index,
               const ConstView& chosen, const Pool2dParams& params) {
  if (Refusal refusal = refuse_images(x, pooled); !refusal.empty()) return refusal;
  if (params.kernel_h * params.kernel_w > stopped_by_relu) return "windows of over 255 elements";
  if (!same_dense_order(index, pooled)) return "the index does not lie like what is pooled";
  if (chosen.dtype != x.dtype || !same_dense_order(chosen, pooled)) {
    return "the chosen elements differ from what is pooled in dtype or layout";
  }
  if (!vector) return "";
  if (!is_aligned(index) || !is_aligned(chosen)) return "what is kept does not begin at 16 bytes";
  if (x.numel() / x.dim(1) > Rows::most || x.dim(1) > Rows::most) {
    return "too many rows or channels";
  }
  return refuse_eights(x, pooled);
}

template <bool vector>
Refusal accepts_train(const BatchNormMaxPoolTrain& op, const Context& /*context*/) {
  const bool aligned = is_aligned(op.weight) && is_aligned(op.bias) && is_aligned(op.mean) &&
                       is_aligned(op.inverse_std);
  if (vector && !aligned) return "weight, bias or statistics do not begin at 16 bytes";
  return refuse<vector>(op.x, op.y, op.index, op.chosen, op.params);
}

template <bool vector>
Refusal accepts_backward(const BatchNormMaxPoolBackward& op, const Context& /*context*/) {
  if (op.dx.dtype != op.x.dtype || !same_dense_order(op.dx, op.x)) {
    return "dx differs from x in dtype or layout";
  }
  if (vector && !(is_aligned(op.dx) && is_aligned(op.mean))) {
    return "dx or mean does not begin at 16 bytes";
  }
  return refuse<vector>(op.x, op.dy, op.index, op.chosen, op.params);
}

template <bool vector>
void add_rung(Registry& registry, std::string_view name, int place) {
  add<BatchNormMaxPoolTrain>(registry, {.name = name,
                                        .place = place,
                                        .accepts = accepts_train<vector>,
                                        .workspace_bytes = train_workspace<vector>,
                                        .run = train<vector>});
  add<BatchNormMaxPoolBackward>(registry, {.name = name,
                                           .place = place,
                                           .accepts = accepts_backward<vector>,
                                           .workspace_bytes = backward_workspace<vector>,
                                           .run = backward<vector>});
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_batch_norm_max_pool(Registry& registry) {
  using namespace cuda;
  add_rung<true>(registry, "cuda/vector", place::handwritten);
  add_rung<false>(registry, "cuda/naive", place::plain);
}

}  // namespace burin
