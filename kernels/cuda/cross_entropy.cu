// Cross-entropy of logits and class indices, handwritten. `--impl cross_entropy=cuda/<name>`.
//   naive         one thread per row; the mean over the rows by one thread
//   warp_per_row  a warp per row, coalesced; the mean over the rows by one block, always in one
//                 order
#include "burin/kernels/cross_entropy.h"

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

struct Rows {
  int64_t N, C;
  const int64_t* target;
  const float* class_weight;  // or null
  float smoothing;
  int64_t ignore_index;
};

__device__ float weight_of(const Rows& rows, int64_t c) {
  return rows.class_weight == nullptr ? 1.0f : rows.class_weight[c];
}
__device__ bool is_class(const Rows& rows, int64_t target) {
  return target >= 0 && target < rows.C;
}

/// How a row is shared: by nobody, or by the lanes of a warp.
struct Alone {
  __device__ static int64_t row() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
  __device__ static int lane() { return 0; }
  __device__ static int lanes() { return 1; }
  __device__ static double sum(double v) { return v; }
  __device__ static float max(float v) { return v; }
};
struct Warp {
  __device__ static int64_t row() {
    return int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  }
  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int lanes() { return 32; }
  __device__ static double sum(double v) { return warp_sum(v); }
  __device__ static float max(float v) { return warp_max(v); }
};

template <class T, class Team>
__global__ void cross_entropy_rows(const T* logits, float* sample_loss, float* log_sum_exp,
                                   Rows rows) {
  const int64_t n = Team::row();
  if (n >= rows.N) return;  // a team leaves together: the shuffles below stay convergent
  const T* const x = logits + n * rows.C;

  float top = -INFINITY;
  for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) top = larger(top, float(x[c]));
  top = Team::max(top);
  CompensatedSum exponentials;
  for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) {
    exponentials.add(expf(float(x[c]) - top));
  }
  const float lse = top + logf(static_cast<float>(Team::sum(exponentials.total())));

  CompensatedSum spread;  // Σ_c ω[c] · (−log p[c])
  if (rows.smoothing != 0) {
    for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) {
      spread.add(weight_of(rows, c) * (lse - float(x[c])));
    }
  }
  const float mean_spread =
      static_cast<float>(Team::sum(spread.total()) / static_cast<double>(rows.C));

  if (Team::lane() != 0) return;
  const int64_t target = rows.target[n];
  float loss = NAN;
  if (target == rows.ignore_index) {
    loss = 0;
  } else if (is_class(rows, target)) {
    const float hit = weight_of(rows, target) * (lse - float(x[target]));
    loss = rows.smoothing == 0 ? hit : (1 - rows.smoothing) * hit + rows.smoothing * mean_spread;
  }
  sample_loss[n] = loss;
  log_sum_exp[n] = lse;
}

/// One block: thread t adds samples t, t + threads, …
__global__ void cross_entropy_mean(const float* sample_loss, float* loss, float* total_weight,
                                   Rows rows) {
  CompensatedSum sum, total;
  for (int64_t n = threadIdx.x; n < rows.N; n += blockDim.x) {
    const int64_t target = rows.target[n];
    if (target == rows.ignore_index) continue;
    sum.add(sample_loss[n]);
    total.add(is_class(rows, target) ? weight_of(rows, target) : 1.0f);
  }
  const double all = blockDim.x == 1 ? sum.total() : block_sum(sum.total());
  const double weight = blockDim.x == 1 ? total.total() : block_sum(total.total());
  if (threadIdx.x != 0) return;
  *total_weight = static_cast<float>(weight);
  *loss = static_cast<float>(all / weight);
}

/// With p = softmax, Ω = Σ_c ω[c]:
///   ∂loss_n/∂x[c] = (1 − ε)·ω[t]·(p[c] − [c = t]) + (ε / C)·(Ω·p[c] − ω[c])
template <class T, class Team>
__global__ void cross_entropy_backward(const T* logits, const float* log_sum_exp,
                                       const float* dloss, const float* total_weight, T* dlogits,
                                       Rows rows) {
  const int64_t n = Team::row();
  if (n >= rows.N) return;
  const T* const x = logits + n * rows.C;
  T* const dx = dlogits + n * rows.C;
  const int64_t target = rows.target[n];
  if (!is_class(rows, target) || target == rows.ignore_index) {
    const float value = target == rows.ignore_index ? 0.0f : NAN;
    for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) dx[c] = T(value);
    return;  // the whole team: it shares the row's target
  }

  float weight_sum = static_cast<float>(rows.C);
  if (rows.smoothing != 0 && rows.class_weight != nullptr) {
    CompensatedSum mine;
    for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) mine.add(rows.class_weight[c]);
    weight_sum = static_cast<float>(Team::sum(mine.total()));
  }

  const float scale = *dloss / *total_weight;
  const float lse = log_sum_exp[n];
  const float hit = (1 - rows.smoothing) * weight_of(rows, target);
  const float spread = rows.smoothing / static_cast<float>(rows.C);
  for (int64_t c = Team::lane(); c < rows.C; c += Team::lanes()) {
    const float p = expf(float(x[c]) - lse);
    const float g =
        hit * (p - (c == target ? 1.0f : 0.0f)) + spread * (weight_sum * p - weight_of(rows, c));
    dx[c] = T(scale * g);
  }
}

template <class Op>
Rows rows_of(const Op& op) {
  return {op.logits.dim(0),
          op.logits.dim(1),
          op.target.template as<int64_t>(),
          op.class_weight.template as<float>(),
          op.label_smoothing,
          op.ignore_index};
}

Refusal accepts_forward(const CrossEntropyForward& op, const Context& /*context*/) {
  if (!is_floating(op.logits.dtype)) return str("dtype ", op.logits.dtype);
  return op.logits.is_contiguous() ? "" : "logits are not contiguous";
}

Refusal accepts_backward(const CrossEntropyBackward& op, const Context& /*context*/) {
  if (!is_floating(op.logits.dtype)) return str("dtype ", op.logits.dtype);
  return op.logits.is_contiguous() && op.dlogits.is_contiguous() ? "" : "logits are not contiguous";
}

template <class Team>
int64_t rows_per_block() {
  return std::is_same_v<Team, Warp> ? threads / 32 : threads;
}

template <class Team>
void forward(const CrossEntropyForward& op, Workspace /*workspace*/, Stream& stream) {
  const Rows rows = rows_of(op);
  visit_element(op.logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(cross_entropy_rows<T, Team>,
           {blocks_for(rows.N, rows_per_block<Team>()), threads, 0, stream}, op.logits.as<T>(),
           op.sample_loss.as<float>(), op.log_sum_exp.as<float>(), rows);
  });
  const int wide = std::is_same_v<Team, Warp> ? block_threads(rows.N, 256) : 1;
  launch(cross_entropy_mean, {1, static_cast<unsigned>(wide), 0, stream},
         op.sample_loss.as<float>(), op.loss.as<float>(), op.total_weight.as<float>(), rows);
}

template <class Team>
void backward(const CrossEntropyBackward& op, Workspace /*workspace*/, Stream& stream) {
  const Rows rows = rows_of(op);
  visit_element(op.logits.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(cross_entropy_backward<T, Team>,
           {blocks_for(rows.N, rows_per_block<Team>()), threads, 0, stream}, op.logits.as<T>(),
           op.log_sum_exp.as<float>(), op.dloss.as<float>(), op.total_weight.as<float>(),
           op.dlogits.as<T>(), rows);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_cross_entropy(Registry& registry) {
  using namespace cuda;
  add<CrossEntropyForward>(
      registry, {.name = "cuda/warp_per_row", .accepts = accepts_forward, .run = forward<Warp>});
  add<CrossEntropyForward>(registry, {.name = "cuda/naive",
                                      .place = place::plain,
                                      .accepts = accepts_forward,
                                      .run = forward<Alone>});
  add<CrossEntropyBackward>(
      registry, {.name = "cuda/warp_per_row", .accepts = accepts_backward, .run = backward<Warp>});
  add<CrossEntropyBackward>(registry, {.name = "cuda/naive",
                                       .place = place::plain,
                                       .accepts = accepts_backward,
                                       .run = backward<Alone>});
}

}  // namespace burin
