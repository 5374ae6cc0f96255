// Softmax and its logarithm over rows, handwritten. `--impl softmax=cuda/<name>` runs one.
//   naive           one thread per row: neighbouring threads read rows apart
//   warp_per_row    lane l owns columns l, l + 32, …: reads coalesced, shuffles instead of memory
//   block_per_row   the same by a block, for long rows
#include "burin/kernels/softmax.h"

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;
constexpr int64_t long_row = 2048;  // columns from which a warp alone would be too slow

template <class T>
__global__ void softmax_forward_naive(const T* x, T* y, int64_t rows, int64_t C, bool log) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  x += row * C;
  y += row * C;
  float top = -INFINITY;
  for (int64_t c = 0; c < C; ++c) top = larger(top, float(x[c]));
  CompensatedSum total;
  for (int64_t c = 0; c < C; ++c) total.add(expf(float(x[c]) - top));
  const float sum = total.sum;
  const float log_sum = logf(sum);
  for (int64_t c = 0; c < C; ++c) {
    const float centred = float(x[c]) - top;
    y[c] = T(log ? centred - log_sum : expf(centred) / sum);
  }
}

template <class T>
__global__ void softmax_backward_naive(const T* dy, const T* y, T* dx, int64_t rows, int64_t C,
                                       bool log) {
  const int64_t row = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  dy += row * C;
  y += row * C;
  dx += row * C;
  CompensatedSum total;
  for (int64_t c = 0; c < C; ++c) total.add(log ? float(dy[c]) : float(dy[c]) * float(y[c]));
  const float sum = total.sum;
  for (int64_t c = 0; c < C; ++c) {
    const float g = float(dy[c]), v = float(y[c]);
    dx[c] = T(log ? g - expf(v) * sum : v * (g - sum));
  }
}

/// The threads that share a row: a warp, or the whole block.
struct WarpTeam {
  __device__ static int64_t row() {
    return int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  }
  __device__ static int64_t first() { return threadIdx.x % 32; }
  __device__ static int64_t step() { return 32; }
  __device__ static double sum(double v) { return warp_sum(v); }
  __device__ static float max(float v) { return warp_max(v); }
};
struct BlockTeam {
  __device__ static int64_t row() { return blockIdx.x; }
  __device__ static int64_t first() { return threadIdx.x; }
  __device__ static int64_t step() { return blockDim.x; }
  __device__ static double sum(double v) { return block_sum(v); }
  __device__ static float max(float v) { return block_max(v); }
};

template <class T, class Team>
__global__ void softmax_forward_team(const T* x, T* y, int64_t rows, int64_t C, bool log) {
  const int64_t row = Team::row();
  if (row >= rows) return;  // a team leaves together: the reductions below stay convergent
  x += row * C;
  y += row * C;

  float top = -INFINITY;
  for (int64_t c = Team::first(); c < C; c += Team::step()) top = larger(top, float(x[c]));
  top = Team::max(top);

  CompensatedSum mine;
  for (int64_t c = Team::first(); c < C; c += Team::step()) mine.add(expf(float(x[c]) - top));
  const float sum = static_cast<float>(Team::sum(mine.total()));

  const float log_sum = logf(sum);
  for (int64_t c = Team::first(); c < C; c += Team::step()) {
    const float centred = float(x[c]) - top;
    y[c] = T(log ? centred - log_sum : expf(centred) / sum);
  }
}

template <class T, class Team>
__global__ void softmax_backward_team(const T* dy, const T* y, T* dx, int64_t rows, int64_t C,
                                      bool log) {
  const int64_t row = Team::row();
  if (row >= rows) return;
  dy += row * C;
  y += row * C;
  dx += row * C;

  CompensatedSum mine;
  for (int64_t c = Team::first(); c < C; c += Team::step()) {
    mine.add(log ? float(dy[c]) : float(dy[c]) * float(y[c]));
  }
  const float sum = static_cast<float>(Team::sum(mine.total()));

  for (int64_t c = Team::first(); c < C; c += Team::step()) {
    const float g = float(dy[c]), v = float(y[c]);
    dx[c] = T(log ? g - expf(v) * sum : v * (g - sum));
  }
}

Refusal accepts_forward(const SoftmaxForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  return op.x.is_contiguous() && op.y.is_contiguous() ? "" : "x or y is not contiguous";
}
Refusal accepts_backward(const SoftmaxBackward& op, const Context& /*context*/) {
  if (!is_floating(op.dy.dtype)) return str("dtype ", op.dy.dtype);
  const bool all = op.dy.is_contiguous() && op.y.is_contiguous() && op.dx.is_contiguous();
  return all ? "" : "dy, y or dx is not contiguous";
}

bool is_long(const SoftmaxForward& op, const Context& /*context*/) {
  return op.x.dim(1) >= long_row;
}
bool is_long_backward(const SoftmaxBackward& op, const Context& /*context*/) {
  return op.dy.dim(1) >= long_row;
}

/// How many threads and blocks share the rows.
enum class Share { thread_per_row, warp_per_row, block_per_row };

LaunchConfig config_for(Share share, int64_t rows, int64_t C, Stream& stream) {
  switch (share) {
    case Share::thread_per_row:
      return {blocks_for(rows, threads), threads, 0, stream};
    case Share::warp_per_row:
      return {blocks_for(rows, threads / 32), threads, 0, stream};
    case Share::block_per_row:
      break;
  }
  return {blocks_for(rows, 1), static_cast<unsigned>(block_threads(C, 512)), 0, stream};
}

template <Share share>
void forward(const SoftmaxForward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t rows = op.x.dim(0), C = op.x.dim(1);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* kernel = softmax_forward_naive<T>;
    if (share == Share::warp_per_row) kernel = softmax_forward_team<T, WarpTeam>;
    if (share == Share::block_per_row) kernel = softmax_forward_team<T, BlockTeam>;
    launch(kernel, config_for(share, rows, C, stream), op.x.as<T>(), op.y.as<T>(), rows, C, op.log);
  });
}

template <Share share>
void backward(const SoftmaxBackward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t rows = op.dy.dim(0), C = op.dy.dim(1);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto* kernel = softmax_backward_naive<T>;
    if (share == Share::warp_per_row) kernel = softmax_backward_team<T, WarpTeam>;
    if (share == Share::block_per_row) kernel = softmax_backward_team<T, BlockTeam>;
    launch(kernel, config_for(share, rows, C, stream), op.dy.as<T>(), op.y.as<T>(), op.dx.as<T>(),
           rows, C, op.log);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_softmax(Registry& registry) {
  using namespace cuda;
  add<SoftmaxForward>(registry, {.name = "cuda/block_per_row",
                                 .accepts = accepts_forward,
                                 .prefers = is_long,
                                 .run = forward<Share::block_per_row>});
  add<SoftmaxForward>(registry, {.name = "cuda/warp_per_row",
                                 .accepts = accepts_forward,
                                 .run = forward<Share::warp_per_row>});
  add<SoftmaxForward>(registry, {.name = "cuda/naive",
                                 .place = place::plain,
                                 .accepts = accepts_forward,
                                 .run = forward<Share::thread_per_row>});
  add<SoftmaxBackward>(registry, {.name = "cuda/block_per_row",
                                  .accepts = accepts_backward,
                                  .prefers = is_long_backward,
                                  .run = backward<Share::block_per_row>});
  add<SoftmaxBackward>(registry, {.name = "cuda/warp_per_row",
                                  .accepts = accepts_backward,
                                  .run = backward<Share::warp_per_row>});
  add<SoftmaxBackward>(registry, {.name = "cuda/naive",
                                  .place = place::plain,
                                  .accepts = accepts_backward,
                                  .run = backward<Share::thread_per_row>});
}

}  // namespace burin
