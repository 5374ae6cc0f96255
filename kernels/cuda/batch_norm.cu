// Batch normalisation, handwritten; ReLU, residual and the 1-bit mask ride along in every rung.
// From plain to fast; `--impl batch_norm=cuda/<name>` runs one.
//   naive    statistics by one thread per channel, in two passes
//   welford  one block per channel and one pass over it, threads joined as Welford's moments are,
//            by warp shuffles; either layout
//   vector   nhwc, C a multiple of 8: a thread owns eight channels and walks over rows, 64 bytes of
//            loads in flight; one block an SM sums its share of the rows, and the pass that applies
//            joins the shares, each of its blocks for itself and in one order
//   cluster  train, small images: vector in one launch and one reading. A cluster of blocks keeps
//            what it read in shared memory and joins its sums there; not yet run on a GPU
//            (support/batch_norm_cluster.cu)
//   cooperative  train: vector in one launch whose blocks, one an SM, wait for each other. They
//            keep in shared memory what fits there; not yet run on a GPU
//            (support/batch_norm_cooperative.cu)
// Then one pass applies (backward: writes dx). No atomics: equal from run to run.
// Kernels: support/batch_norm_{forward,backward}.h.
#include "burin/kernels/batch_norm.h"

#include "burin/kernels/cuda/support/batch_norm.h"
#include "burin/kernels/cuda/support/batch_norm_backward.h"
#include "burin/kernels/cuda/support/batch_norm_forward.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

enum class Rung { naive, welford, vector };

/// Doubles of [parts, 2, C]; only `vector` makes more than one part.
size_t sums_of(Rung rung, const Channels& channels) {
  if (rung == Rung::vector) return RowGrid::of(Rows::of(channels)).sums();
  return static_cast<size_t>(2 * channels.C);
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
void queue_apply(const Affine<T>& op, const Channels& channels, Stream& stream) {
  const dim3 grid = blocks_for((channels.count + per_byte - 1) / per_byte, threads);
  launch(apply_plain<T>, {grid, threads, 0, stream}, op, channels);
}

template <class T, class From>
void queue_apply_vector(const Affine<T>& op, const From& statistics, const Channels& channels,
                        Stream& stream) {
  const Rows rows = Rows::of(channels);
  const RowGrid over = RowGrid::of(rows);
  const auto kernel =
      op.residual != nullptr ? apply_vector<T, true, From> : apply_vector<T, false, From>;
  const LaunchConfig config{over.grid, over.block, 0, stream};
  if constexpr (From::made_by_launch_before) {
    launch_overlapped(kernel, config, op, statistics, rows);
  } else {
    launch(kernel, config, op, statistics, rows);
  }
}

template <class T>
void queue_train_vector(const Affine<T>& op, Workspace workspace, const Statistics& to,
                        const Channels& channels, Stream& stream) {
  const Rows rows = Rows::of(channels);
  const RowGrid over = RowGrid::of(rows);
  auto* const sums = workspace.take<double>(sums_of(Rung::vector, channels));
  auto* const shift = workspace.take<float>(static_cast<size_t>(channels.C));
  launch_overlapped(shifted_sums_vector<T>, {over.grid, over.block, 0, stream}, op.x, sums, shift,
                    rows);
  queue_apply_vector(op, BatchStatistics{sums, shift, over.parts(), to}, channels, stream);
}

template <Rung rung>
size_t train_workspace(const BatchNormTrain& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  const auto C = static_cast<size_t>(channels.C);
  if (rung != Rung::vector) return Workspace::room_for<Moments>(C);
  return Workspace::room_for<double>(sums_of(rung, channels)) + Workspace::room_for<float>(C);
}

template <Rung rung>
void train(const BatchNormTrain& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const Statistics statistics = Statistics::of(op);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto affine = Affine<T>::of(op, op.inverse_std.template as<float>());
    if constexpr (rung == Rung::vector) {
      queue_train_vector(affine, workspace, statistics, channels, stream);
    } else {
      queue_statistics(rung, affine.x, workspace, statistics, channels, stream);
      queue_apply(affine, channels, stream);
    }
  });
}

template <Rung rung>
size_t inference_workspace(const BatchNormInference& op, const Context& /*context*/) {
  if (rung == Rung::vector) return 0;
  return Workspace::room_for<float>(static_cast<size_t>(op.x.dim(1)));
}

template <Rung rung>
void inference(const BatchNormInference& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  float* inverse_std = nullptr;
  if (rung != Rung::vector) {
    inverse_std = workspace.take<float>(static_cast<size_t>(channels.C));
    launch(inverse_of_variance, {blocks_for(channels.C, threads), threads, 0, stream},
           op.variance.as<float>(), inverse_std, op.epsilon, channels.C);
  }
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto affine = Affine<T>::of(op, inverse_std);
    if constexpr (rung == Rung::vector) {
      const GivenStatistics given{affine.mean, op.variance.as<float>(), op.epsilon};
      queue_apply_vector(affine, given, channels, stream);
    } else {
      queue_apply(affine, channels, stream);
    }
  });
}

template <class T>
void queue_gradients(Rung rung, const InputGradient<T>& op, Workspace workspace,
                     const ParameterGradients& to, const Channels& channels, Stream& stream) {
  const int64_t C = channels.C;
  auto* const sums = workspace.take<double>(sums_of(rung, channels));
  auto* const factors = workspace.take<DxFactors>(static_cast<size_t>(C));
  if (rung == Rung::naive) {
    launch(gradient_sums_naive<Gradient<T>>, {blocks_for(C, threads), threads, 0, stream}, op.in,
           sums, channels);
  } else {
    launch(gradient_sums_block<T>, {blocks_for(C, 1), channel_block(channels), 0, stream}, op.in,
           sums, channels);
  }
  launch(finish_gradients, {blocks_for(C, threads), threads, 0, stream}, sums, to, factors, C);
  launch(gradient_apply_plain<T>, {blocks_for(channels.count, threads), threads, 0, stream}, op,
         factors, channels);
}

template <class T>
void queue_gradients_vector(const InputGradient<T>& op, Workspace workspace,
                            const ParameterGradients& to, const Channels& channels,
                            Stream& stream) {
  const Rows rows = Rows::of(channels);
  const RowGrid over = RowGrid::of(rows);
  auto* const sums = workspace.take<double>(sums_of(Rung::vector, channels));
  launch_overlapped(gradient_sums_vector<T, Gradient<T>>, {over.grid, over.block, 0, stream}, op.in,
                    sums, rows);
  launch_overlapped(gradient_apply_vector<T>, {over.grid, over.block, 0, stream}, op, sums,
                    over.parts(), to, rows);
}

template <Rung rung>
size_t backward_workspace(const BatchNormBackward& op, const Context& /*context*/) {
  const Channels channels = Channels::of(op.x);
  const size_t sums = Workspace::room_for<double>(sums_of(rung, channels));
  if (rung == Rung::vector) return sums;
  return sums + Workspace::room_for<DxFactors>(static_cast<size_t>(channels.C));
}

template <Rung rung>
void backward(const BatchNormBackward& op, Workspace workspace, Stream& stream) {
  const Channels channels = Channels::of(op.x);
  const ParameterGradients gradients = ParameterGradients::of(op, op.batch_statistics);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const InputGradient<T> apply{
        {op.dy.as<T>(), op.x.as<T>(), op.relu_mask.as<uint8_t>(), op.mean.as<float>()},
        op.dx.as<T>(),
        op.dresidual.as<T>()};
    if constexpr (rung == Rung::vector) {
      queue_gradients_vector(apply, workspace, gradients, channels, stream);
    } else {
      queue_gradients(rung, apply, workspace, gradients, channels, stream);
    }
  });
}

// ---- what is taken

template <Rung rung, class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  return refuse_forward<rung == Rung::vector>(op);
}

template <Rung rung>
Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  constexpr bool in_eights = rung == Rung::vector;
  if (Refusal refusal = refuse_image<in_eights>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<in_eights>(op.x, op.dy, "dy"); !refusal.empty()) {
    return refusal;
  }
  if (Refusal refusal = refuse_other<in_eights>(op.x, op.dx, "dx"); !refusal.empty()) {
    return refusal;
  }
  if (in_eights && !is_aligned(op.mean)) return "the mean does not begin at 16 bytes";
  return refuse_other<in_eights>(op.x, op.dresidual, "dresidual");
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
                                     .workspace_bytes = inference_workspace<rung>,
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
  register_batch_norm_cluster(registry);
  register_batch_norm_cooperative(registry);
}

}  // namespace burin
