// Batch normalisation, handwritten; ReLU, residual and the 1-bit mask ride along in every rung.
// From plain to fast; `--impl batch_norm=cuda/<name>` runs one.
//   naive    statistics by one thread per channel, in two passes
//   welford  one block per channel and one pass over it, threads joined as Welford's moments are,
//            by warp shuffles; either layout
//   vector   nhwc, C a multiple of 8: a thread owns eight channels and walks over rows, 64 bytes of
//            loads in flight; blocks of all SMs share the rows, joined in a fixed order
// Then one pass applies (backward: writes dx). Kernels: support/batch_norm_{forward,backward}.h.
#include "burin/kernels/batch_norm.h"

#include <algorithm>

#include "burin/kernels/cuda/support/batch_norm_backward.h"
#include "burin/kernels/cuda/support/batch_norm_forward.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

enum class Rung { naive, welford, vector };

/// A warp for each channel.
dim3 blocks_of_warps(const Channels& channels) {
  return blocks_for(channels.C, threads / 32);
}

/// Doubles of [parts, 2, C].
size_t sums_of(const RowGrid& over, const Channels& channels) {
  return static_cast<size_t>(over.parts() * 2 * channels.C);
}

unsigned channel_block(const Channels& channels) {
  return static_cast<unsigned>(block_threads(channels.per_channel, 512));
}

template <class T>
void queue_statistics(Rung rung, const T* x, Workspace workspace, const Statistics& to,
                      const Channels& channels, Stream& stream) {
  const int64_t C = channels.C;
  auto* const moments = workspace.take<Moments>(static_cast<size_t>(C));
  if (rung == Rung::naive) {
    launch(moments_naive<T>, {blocks_for(C, threads), threads, 0, stream}, x, moments, channels);
  } else {
    launch(moments_welford<T>, {blocks_for(C, 1), channel_block(channels), 0, stream}, x, moments,
           channels);
  }
  launch(finish_statistics, {blocks_for(C, threads), threads, 0, stream}, moments, to, C);
}

template <class T>
void queue_statistics_vector(const T* x, Workspace workspace, const Statistics& to,
                             const Channels& channels, Stream& stream) {
  const Rows rows = Rows::of(channels);
  const RowGrid over = RowGrid::of(rows);
  auto* const sums = workspace.take<double>(sums_of(over, channels));
  launch(shifted_sums_vector<T>, {over.grid, over.block, 0, stream}, x, sums, rows);
  launch(finish_statistics_vector<T>, {blocks_of_warps(channels), threads, 0, stream}, x, sums,
         over.parts(), to, rows);
}

template <class T>
void queue_apply(Rung rung, const Affine<T>& op, const Channels& channels, Stream& stream) {
  if (rung == Rung::vector) {
    const Rows rows = Rows::of(channels);
    const RowGrid over = RowGrid::of(rows);
    launch(apply_vector<T>, {over.grid, over.block, 0, stream}, op, rows);
  } else {
    const dim3 grid = blocks_for((channels.count + per_byte - 1) / per_byte, threads);
    launch(apply_plain<T>, {grid, threads, 0, stream}, op, channels);
  }
}

template <Rung rung>
size_t train_workspace(const BatchNormTrain& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  if (rung != Rung::vector) return Workspace::room_for<Moments>(static_cast<size_t>(channels.C));
  return Workspace::room_for<double>(sums_of(RowGrid::of(Rows::of(channels)), channels));
}

template <Rung rung>
void train(const BatchNormTrain& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const Statistics statistics{op.mean.as<float>(),
                              op.inverse_std.as<float>(),
                              op.running_mean.as<float>(),
                              op.running_variance.as<float>(),
                              op.momentum,
                              op.epsilon};
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (rung == Rung::vector) {
      queue_statistics_vector(op.x.as<T>(), workspace, statistics, channels, stream);
    } else {
      queue_statistics(rung, op.x.as<T>(), workspace, statistics, channels, stream);
    }
    const Affine<T> affine{op.x.as<T>(),
                           op.residual.as<T>(),
                           op.y.as<T>(),
                           op.relu_mask.as<uint8_t>(),
                           op.mean.as<float>(),
                           op.inverse_std.as<float>(),
                           op.weight.as<float>(),
                           op.bias.as<float>(),
                           op.relu};
    queue_apply(rung, affine, channels, stream);
  });
}

size_t inference_workspace(const BatchNormInference& op, const Context& /*context*/) {
  return Workspace::room_for<float>(static_cast<size_t>(op.x.dim(1)));
}

template <Rung rung>
void inference(const BatchNormInference& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  float* const inverse_std = workspace.take<float>(static_cast<size_t>(channels.C));
  launch(inverse_of_variance, {blocks_for(channels.C, threads), threads, 0, stream},
         op.variance.as<float>(), inverse_std, op.epsilon, channels.C);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Affine<T> affine{op.x.as<T>(),
                           op.residual.as<T>(),
                           op.y.as<T>(),
                           op.relu_mask.as<uint8_t>(),
                           op.mean.as<float>(),
                           inverse_std,
                           op.weight.as<float>(),
                           op.bias.as<float>(),
                           op.relu};
    queue_apply(rung, affine, channels, stream);
  });
}

/// The grid in which `vector` walks over rows; other rungs make one part of them.
RowGrid gradient_grid(Rung rung, const Channels& channels) {
  return rung == Rung::vector ? RowGrid::of(Rows::of(channels)) : RowGrid{};
}

template <class T>
void queue_gradient_sums(Rung rung, const Gradient<T>& in, double* sums, const Channels& channels,
                         Stream& stream) {
  if (rung == Rung::naive) {
    launch(gradient_sums_naive<T>, {blocks_for(channels.C, threads), threads, 0, stream}, in, sums,
           channels);
  } else if (rung == Rung::welford) {
    launch(gradient_sums_block<T>, {blocks_for(channels.C, 1), channel_block(channels), 0, stream},
           in, sums, channels);
  } else {
    const RowGrid over = gradient_grid(rung, channels);
    launch(gradient_sums_vector<T>, {over.grid, over.block, 0, stream}, in, sums,
           Rows::of(channels));
  }
}

template <class T>
void queue_gradient_apply(Rung rung, const InputGradient<T>& op, const Channels& channels,
                          Stream& stream) {
  if (rung == Rung::vector) {
    const RowGrid over = gradient_grid(rung, channels);
    launch(gradient_apply_vector<T>, {over.grid, over.block, 0, stream}, op, Rows::of(channels));
  } else {
    launch(gradient_apply_plain<T>, {blocks_for(channels.count, threads), threads, 0, stream}, op,
           channels);
  }
}

template <Rung rung>
size_t backward_workspace(const BatchNormBackward& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  return Workspace::room_for<double>(sums_of(gradient_grid(rung, channels), channels)) +
         3 * Workspace::room_for<float>(static_cast<size_t>(channels.C));
}

template <Rung rung>
void backward(const BatchNormBackward& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const auto C = static_cast<size_t>(channels.C);
  const RowGrid over = gradient_grid(rung, channels);
  auto* const sums = workspace.take<double>(sums_of(over, channels));
  float* const scale = workspace.take<float>(C);
  float* const from_bias = workspace.take<float>(C);
  const Factors factors{scale, from_bias, workspace.take<float>(C)};
  const ParameterGradients gradients{op.weight.as<float>(),
                                     op.inverse_std.as<float>(),
                                     op.dweight.as<float>(),
                                     op.dbias.as<float>(),
                                     static_cast<double>(channels.per_channel),
                                     op.batch_statistics};
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Gradient<T> in{op.dy.as<T>(), op.x.as<T>(), op.relu_mask.as<uint8_t>(),
                         op.mean.as<float>()};
    queue_gradient_sums(rung, in, sums, channels, stream);
    launch(finish_gradients, {blocks_of_warps(channels), threads, 0, stream}, sums, over.parts(),
           gradients, factors, static_cast<int>(channels.C));
    const InputGradient<T> apply{in, factors, op.dx.as<T>(), op.dresidual.as<T>()};
    queue_gradient_apply(rung, apply, channels, stream);
  });
}

// ---- what is taken

Refusal accepts_image(const ConstView& x) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (x.rank() != 2 && x.rank() != 4) {
    return str("x ", x.shape, ", neither [N, C] nor [N, C, H, W]");
  }
  if (x.numel() == 0) return str("x ", x.shape, " is empty");
  if (x.rank() == 2) return x.is_contiguous() ? "" : "x is not row-major";
  const bool dense = x.is_dense(Layout::nhwc) || x.is_dense(Layout::nchw);
  return dense ? "" : "x is dense in no layout";
}

/// Why an optional operand of x's shape does not lie like x, or empty.
template <Rung rung, class V>
Refusal refuse_other(const ConstView& x, const V& other, const char* name) {
  if (!other) return "";
  if (other.dtype != x.dtype || !same_dense_order(x, other)) {
    return str(name, " differs from x in dtype or layout");
  }
  return rung != Rung::vector || is_aligned(other) ? "" : str(name, " does not begin at 16 bytes");
}

template <Rung rung>
Refusal refuse_rung(const ConstView& x) {
  if (Refusal refusal = accepts_image(x); !refusal.empty()) return refusal;
  if (rung != Rung::vector) return "";
  if (Channels::of(x).inner != 1) return "not nhwc";
  if (x.dim(1) % per_byte != 0) return str(x.dim(1), " channels, no multiple of ", per_byte);
  if (x.numel() / x.dim(1) > Rows::most || x.dim(1) > Rows::most)
    return "too many rows or channels";
  return is_aligned(x) ? "" : "x does not begin at 16 bytes";
}

/// `vector` reads what belongs to channels in packets, too.
template <Rung rung, class... Views>
Refusal refuse_by_channel(const Views&... views) {
  if (rung != Rung::vector || (is_aligned(views) && ...)) return "";
  return "weight, bias or statistics do not begin at 16 bytes";
}

template <Rung rung>
Refusal refuse_statistics(const BatchNormTrain& op) {
  return refuse_by_channel<rung>(op.weight, op.bias, op.mean, op.inverse_std);
}
template <Rung rung>
Refusal refuse_statistics(const BatchNormInference& op) {
  return refuse_by_channel<rung>(op.weight, op.bias, op.mean);
}

template <Rung rung, class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.y, "y"); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_statistics<rung>(op); !refusal.empty()) return refusal;
  return refuse_other<rung>(op.x, op.residual, "the residual");
}

template <Rung rung>
Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dy, "dy"); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dx, "dx"); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_by_channel<rung>(op.mean); !refusal.empty()) return refusal;
  return refuse_other<rung>(op.x, op.dresidual, "dresidual");
}

template <Rung rung>
void add_rung(Registry& registry, std::string_view name, int place) {
  add<BatchNormTrain>(registry, {.name = name,
                                 .place = place,
                                 .accepts = accepts_forward<rung, BatchNormTrain>,
                                 .workspace_bytes = train_workspace<rung>,
                                 .run = train<rung>});
  add<BatchNormBackward>(registry, {.name = name,
                                    .place = place,
                                    .accepts = accepts_backward<rung>,
                                    .workspace_bytes = backward_workspace<rung>,
                                    .run = backward<rung>});
  if (rung == Rung::welford) return;  // it differs in its statistics only
  add<BatchNormInference>(registry, {.name = name,
                                     .place = place,
                                     .accepts = accepts_forward<rung, BatchNormInference>,
                                     .workspace_bytes = inference_workspace,
                                     .run = inference<rung>});
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_batch_norm(Registry& registry) {
  using namespace cuda;
  add_rung<Rung::vector>(registry, "cuda/vector", place::handwritten);
  add_rung<Rung::welford>(registry, "cuda/welford", place::handwritten);
  add_rung<Rung::naive>(registry, "cuda/naive", place::plain);
}

}  // namespace burin
