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
//   cooperative  train: vector in one launch whose blocks, one an SM, wait for each other. They
//            keep in shared memory what fits there; not yet run on a GPU
// Then one pass applies (backward: writes dx). No atomics: equal from run to run.
// Kernels: support/batch_norm_{forward,cluster,cooperative,backward}.h.
#include "burin/kernels/batch_norm.h"

#include "burin/kernels/cuda/support/batch_norm_backward.h"
#include "burin/kernels/cuda/support/batch_norm_cluster.h"
#include "burin/kernels/cuda/support/batch_norm_cooperative.h"
#include "burin/kernels/cuda/support/batch_norm_forward.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

enum class Rung { naive, welford, vector, cluster, cooperative };
constexpr bool in_eights(Rung rung) {
  return rung != Rung::naive && rung != Rung::welford;
}

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

template <class T>
void queue_train_cluster(const Affine<T>& op, const Statistics& to, const Channels& channels,
                         Stream& stream) {
  const ClusterRows over = ClusterRows::of(Rows::of(channels));
  const auto kernel = op.residual != nullptr ? train_cluster<T, true> : train_cluster<T, false>;
  launch_clusters(kernel, {over.grid(), over.block(), over.shared_bytes<T>(), stream},
                  {1, ClusterRows::blocks, 1}, op, to, over);
}

int shared_bytes_of(Device device) {
  int most = 0;
  check_launch(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device.index),
               Where::current());
  return most;
}

template <class T>
auto* cooperative_kernel(bool has_residual) {
  return has_residual ? train_cooperative<T, true> : train_cooperative<T, false>;
}

/// As many blocks as the device holds with the most shared memory that each can have.
CooperativeRows cooperative_rows(const BatchNormTrain& op, Device device) {
  const int most = shared_bytes_of(device);
  return visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int resident =
        resident_blocks(cooperative_kernel<T>(bool(op.residual)), row_threads, most, device);
    return CooperativeRows::of<T>(Rows::of(Channels::of(op.x)), resident, most);
  });
}

template <class T>
void queue_train_cooperative(const Affine<T>& op, const CooperativeRows& how, Workspace workspace,
                             const Statistics& to, const Channels& channels, Stream& stream) {
  auto* const sums = workspace.take<double>(how.over.sums());
  auto* const shift = workspace.take<float>(static_cast<size_t>(channels.C));
  launch_cooperative(cooperative_kernel<T>(op.residual != nullptr),
                     {how.over.grid, how.over.block, how.shared_bytes, stream}, op, sums, shift, to,
                     Rows::of(channels), how.kept_end);
}

size_t cooperative_workspace(const BatchNormTrain& op, const Context& context) {
  return Workspace::room_for<double>(cooperative_rows(op, context.stream.device()).over.sums()) +
         Workspace::room_for<float>(static_cast<size_t>(op.x.dim(1)));
}

template <Rung rung>
size_t train_workspace(const BatchNormTrain& op, const Context& /*context*/) {
  if (rung == Rung::cluster) return 0;
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
    const Affine<T> affine{op.x.as<T>(),
                           op.residual.as<T>(),
                           op.y.as<T>(),
                           op.relu_mask.as<uint8_t>(),
                           op.mean.as<float>(),
                           op.inverse_std.as<float>(),
                           op.weight.as<float>(),
                           op.bias.as<float>(),
                           op.relu};
    if constexpr (rung == Rung::vector) {
      queue_train_vector(affine, workspace, statistics, channels, stream);
    } else if constexpr (rung == Rung::cluster) {
      queue_train_cluster(affine, statistics, channels, stream);
    } else if constexpr (rung == Rung::cooperative) {
      queue_train_cooperative(affine, cooperative_rows(op, stream.device()), workspace, statistics,
                              channels, stream);
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
    const Affine<T> affine{op.x.as<T>(),
                           op.residual.as<T>(),
                           op.y.as<T>(),
                           op.relu_mask.as<uint8_t>(),
                           op.mean.as<float>(),
                           inverse_std,
                           op.weight.as<float>(),
                           op.bias.as<float>(),
                           op.relu};
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
  return !in_eights(rung) || is_aligned(other) ? "" : str(name, " does not begin at 16 bytes");
}

template <Rung rung>
Refusal refuse_rung(const ConstView& x) {
  if (Refusal refusal = accepts_image(x); !refusal.empty()) return refusal;
  if (!in_eights(rung)) return "";
  if (Channels::of(x).inner != 1) return "not nhwc";
  if (x.dim(1) % per_byte != 0) return str(x.dim(1), " channels, no multiple of ", per_byte);
  if (x.numel() / x.dim(1) > Rows::most || x.dim(1) > Rows::most)
    return "too many rows or channels";
  return is_aligned(x) ? "" : "x does not begin at 16 bytes";
}

template <Rung rung, class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.y, "y"); !refusal.empty()) return refusal;
  return refuse_other<rung>(op.x, op.residual, "the residual");
}

Refusal accepts_cluster(const BatchNormTrain& op, const Context& context) {
  if (Refusal refusal = accepts_forward<Rung::cluster>(op, context); !refusal.empty()) {
    return refusal;
  }
  const int most = shared_bytes_of(context.stream.device());
  const ClusterRows over = ClusterRows::of(Rows::of(Channels::of(op.x)));
  const size_t bytes =
      op.x.dtype == DType::f32 ? over.shared_bytes<float>() : over.shared_bytes<__half>();
  return bytes <= static_cast<size_t>(most)
             ? ""
             : str("a block would keep ", bytes, " bytes in shared memory");
}

Refusal accepts_cooperative(const BatchNormTrain& op, const Context& context) {
  if (Refusal refusal = accepts_forward<Rung::cooperative>(op, context); !refusal.empty()) {
    return refusal;
  }
  const CooperativeRows how = cooperative_rows(op, context.stream.device());
  return how.fits() ? ""
                    : str(op.x.dim(1), " channels need more than ", how.resident,
                          " blocks, more than there are at the same time");
}

template <Rung rung>
Refusal accepts_backward(const BatchNormBackward& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_rung<rung>(op.x); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dy, "dy"); !refusal.empty()) return refusal;
  if (Refusal refusal = refuse_other<rung>(op.x, op.dx, "dx"); !refusal.empty()) return refusal;
  if (rung == Rung::vector && !is_aligned(op.mean)) return "the mean does not begin at 16 bytes";
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
  add<BatchNormTrain>(registry, {.name = "cuda/cluster",
                                 .accepts = accepts_cluster,
                                 .workspace_bytes = train_workspace<Rung::cluster>,
                                 .run = train<Rung::cluster>,
                                 .caveat = not_yet_run});
  add<BatchNormTrain>(registry, {.name = "cuda/cooperative",
                                 .accepts = accepts_cooperative,
                                 .workspace_bytes = cooperative_workspace,
                                 .run = train<Rung::cooperative>,
                                 .caveat = not_yet_run});
}

}  // namespace burin
