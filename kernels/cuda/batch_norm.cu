// Batch normalisation, handwritten; ReLU, residual and the 1-bit mask ride along in every rung.
// From plain to fast; `--impl batch_norm=cuda/<name>` runs one.
//   naive    statistics by one thread per channel, in two passes
//   welford  one block per channel and one pass over it, threads joined as Welford's moments are,
//   by
//            warp shuffles; either layout
//   vector   nhwc, C a multiple of 8: threads own 16 bytes of channels, so reads are coalesced
//   where
//            a block per channel strides; many blocks share the rows, joined in a fixed order
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

/// Parts in which `vector` adds up the rows: enough blocks to fill a GPU.
int64_t parts_of(Rung rung, const Channels& channels) {
  if (rung != Rung::vector) return 1;
  constexpr int64_t rows_in_a_part = 16 * packet_rows;
  constexpr int64_t most = 256;
  return std::clamp<int64_t>(channels.per_channel / rows_in_a_part, 1, most);
}

template <class T>
dim3 vector_grid(const Channels& channels, int64_t parts) {
  const dim3 columns = blocks_for(channels.C, int64_t{packet_columns} * Packet<T>::size);
  return dim3(columns.x, static_cast<unsigned>(parts));
}

unsigned channel_block(const Channels& channels) {
  return static_cast<unsigned>(block_threads(channels.per_channel, 512));
}

template <class T>
void queue_moments(Rung rung, const T* x, Moments* moments, const Channels& channels,
                   Stream& stream) {
  if (rung == Rung::naive) {
    launch(moments_naive<T>, {blocks_for(channels.C, threads), threads, 0, stream}, x, moments,
           channels);
  } else if (rung == Rung::welford) {
    launch(moments_welford<T>, {blocks_for(channels.C, 1), channel_block(channels), 0, stream}, x,
           moments, channels);
  } else {
    const dim3 grid = vector_grid<T>(channels, parts_of(rung, channels));
    launch(moments_vector<T>, {grid, dim3(packet_columns, packet_rows), 0, stream}, x, moments,
           channels);
  }
}

template <class T>
void queue_apply(Rung rung, const Affine<T>& op, const Channels& channels, Stream& stream) {
  const dim3 grid = blocks_for((channels.count + per_byte - 1) / per_byte, threads);
  launch(rung == Rung::vector ? apply_vector<T> : apply_plain<T>, {grid, threads, 0, stream}, op,
         channels);
}

template <Rung rung>
size_t train_workspace(const BatchNormTrain& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  return Workspace::room_for<Moments>(static_cast<size_t>(parts_of(rung, channels) * channels.C));
}

template <Rung rung>
void train(const BatchNormTrain& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const int64_t C = channels.C, parts = parts_of(rung, channels);
  auto* const moments = workspace.take<Moments>(static_cast<size_t>(parts * C));
  const Statistics statistics{op.mean.as<float>(),
                              op.inverse_std.as<float>(),
                              op.running_mean.as<float>(),
                              op.running_variance.as<float>(),
                              op.momentum,
                              op.epsilon};
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    queue_moments(rung, op.x.as<T>(), moments, channels, stream);
    launch(finish_statistics, {blocks_for(C, threads), threads, 0, stream}, moments,
           static_cast<int>(parts), statistics, C);
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

template <class T>
void queue_gradient_sums(Rung rung, const Gradient<T>& in, GradientSums* sums,
                         const Channels& channels, Stream& stream) {
  if (rung == Rung::naive) {
    launch(gradient_sums_naive<T>, {blocks_for(channels.C, threads), threads, 0, stream}, in, sums,
           channels);
  } else if (rung == Rung::welford) {
    launch(gradient_sums_block<T>, {blocks_for(channels.C, 1), channel_block(channels), 0, stream},
           in, sums, channels);
  } else {
    const dim3 grid = vector_grid<T>(channels, parts_of(rung, channels));
    launch(gradient_sums_vector<T>, {grid, dim3(packet_columns, packet_rows), 0, stream}, in, sums,
           channels);
  }
}

template <Rung rung>
size_t backward_workspace(const BatchNormBackward& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  const int64_t sums = parts_of(rung, channels) * channels.C;
  return Workspace::room_for<GradientSums>(static_cast<size_t>(sums)) +
         3 * Workspace::room_for<float>(static_cast<size_t>(channels.C));
}

template <Rung rung>
void backward(const BatchNormBackward& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const auto C = static_cast<size_t>(channels.C);
  const int64_t parts = parts_of(rung, channels);
  auto* const sums = workspace.take<GradientSums>(static_cast<size_t>(parts) * C);
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
    launch(finish_gradients, {blocks_for(channels.C, threads), threads, 0, stream}, sums,
           static_cast<int>(parts), gradients, factors, channels.C);
    const InputGradient<T> apply{in, factors, op.dx.as<T>(), op.dresidual.as<T>()};
    const bool vector = rung == Rung::vector;
    const dim3 grid = blocks_for(channels.count / (vector ? per_byte : 1), threads);
    launch(vector ? gradient_apply_vector<T> : gradient_apply_plain<T>, {grid, threads, 0, stream},
           apply, channels);
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
  return is_aligned(x) ? "" : "x does not begin at 16 bytes";
}

template <Rung rung, class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.y, "y"); !refusal.empty()) return refusal;
  return refuse_other<rung>(op.x, op.residual, "the residual");
}

template <Rung rung>
Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dy, "dy"); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dx, "dx"); !refusal.empty()) return refusal;
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
