// Layer normalisation over the last axis, handwritten. `--impl layer_norm=cuda/<name>` runs one.
//   naive         one thread per row; backward's column sums by one thread per column
//   warp_per_row  lane l owns columns l, l + 32, …; column sums by tiles of rows, joined by a
//                 second launch in a fixed order: no atomics
#include "burin/kernels/layer_norm.h"

#include <algorithm>

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;
constexpr int column_threads = 32;  // of a block that adds up columns: one warp wide,
constexpr int row_threads = 8;      // and eight rows at a time

struct Alone {
  __device__ static int64_t row() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
  __device__ static int lane() { return 0; }
  __device__ static int lanes() { return 1; }
  __device__ static double sum(double v) { return v; }
};
struct Warp {
  __device__ static int64_t row() {
    return int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  }
  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int lanes() { return 32; }
  __device__ static double sum(double v) { return warp_sum(v); }
};

template <class T, class Team>
__global__ void layer_norm_forward(const T* x, const float* weight, const float* bias, T* y,
                                   float* mean, float* inverse_std, int64_t rows, int C,
                                   float epsilon) {
  const int64_t row = Team::row();
  if (row >= rows) return;  // a whole team leaves together: the shuffles below stay convergent
  x += row * C;
  y += row * C;

  CompensatedSum sum;
  for (int c = Team::lane(); c < C; c += Team::lanes()) sum.add(float(x[c]));
  const float mu = static_cast<float>(Team::sum(sum.total()) / C);

  // A second pass: E[x²] − E[x]² would lose all digits when |mean| ≫ std.
  CompensatedSum squares;
  for (int c = Team::lane(); c < C; c += Team::lanes()) {
    const float centred = float(x[c]) - mu;
    squares.add(centred * centred);
  }
  const float variance = static_cast<float>(Team::sum(squares.total()) / C);
  const float r = 1 / sqrtf(variance + epsilon);

  for (int c = Team::lane(); c < C; c += Team::lanes()) {
    y[c] = T((float(x[c]) - mu) * r * weight[c] + bias[c]);
  }
  if (Team::lane() == 0) {
    mean[row] = mu;
    inverse_std[row] = r;
  }
}

/// dx = inverse_std · (g − mean(g) − x̂ · mean(g · x̂)),  g = dy · weight
template <class T, class Team>
__global__ void layer_norm_backward_data(const T* dy, const T* x, const float* weight,
                                         const float* mean, const float* inverse_std, T* dx,
                                         int64_t rows, int C) {
  const int64_t row = Team::row();
  if (row >= rows) return;
  dy += row * C;
  x += row * C;
  dx += row * C;
  const float mu = mean[row], r = inverse_std[row];

  CompensatedSum sum_g, sum_gx;
  for (int c = Team::lane(); c < C; c += Team::lanes()) {
    const float g = float(dy[c]) * weight[c];
    sum_g.add(g);
    sum_gx.add(g * (float(x[c]) - mu) * r);
  }
  const float mean_g = static_cast<float>(Team::sum(sum_g.total()) / C);
  const float mean_gx = static_cast<float>(Team::sum(sum_gx.total()) / C);

  for (int c = Team::lane(); c < C; c += Team::lanes()) {
    const float g = float(dy[c]) * weight[c];
    const float normalized = (float(x[c]) - mu) * r;
    dx[c] = T(r * (g - mean_g - normalized * mean_gx));
  }
}

/// Where the sums over rows [begin, end) of dy · x̂ and dy go: [parts, C] each.
template <class Real>
struct ColumnSums {
  Real* dweight;
  Real* dbias;
};

/// Block (b, part) adds columns 32·b … of its part of the rows; thread row k of it every eighth
/// row.
template <class T>
__global__ void layer_norm_column_sums(const T* dy, const T* x, const float* mean,
                                       const float* inverse_std, ColumnSums<double> sums,
                                       int64_t rows, int C) {
  __shared__ double dweight[row_threads][column_threads];
  __shared__ double dbias[row_threads][column_threads];
  const int c = blockIdx.x * column_threads + threadIdx.x;
  const int64_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;

  CompensatedSum with_x, alone;
  for (int64_t row = begin + threadIdx.y; row < end && c < C; row += row_threads) {
    const float g = float(dy[row * C + c]);
    with_x.add(g * (float(x[row * C + c]) - mean[row]) * inverse_std[row]);
    alone.add(g);
  }
  dweight[threadIdx.y][threadIdx.x] = with_x.total();
  dbias[threadIdx.y][threadIdx.x] = alone.total();
  __syncthreads();

  if (threadIdx.y != 0 || c >= C) return;
  for (int k = 1; k < row_threads; ++k) {
    dweight[0][threadIdx.x] += dweight[k][threadIdx.x];
    dbias[0][threadIdx.x] += dbias[k][threadIdx.x];
  }
  sums.dweight[int64_t(blockIdx.y) * C + c] = dweight[0][threadIdx.x];
  sums.dbias[int64_t(blockIdx.y) * C + c] = dbias[0][threadIdx.x];
}

__global__ void layer_norm_join_parts(ColumnSums<double> parts, ColumnSums<float> total, int count,
                                      int C) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= C) return;
  double dweight = 0, dbias = 0;
  for (int part = 0; part < count; ++part) {
    dweight += parts.dweight[int64_t(part) * C + c];
    dbias += parts.dbias[int64_t(part) * C + c];
  }
  total.dweight[c] = static_cast<float>(dweight);
  total.dbias[c] = static_cast<float>(dbias);
}

/// The readable twin: one thread per column walks down all rows.
template <class T>
__global__ void layer_norm_columns_naive(const T* dy, const T* x, const float* mean,
                                         const float* inverse_std, ColumnSums<float> sums,
                                         int64_t rows, int C) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= C) return;
  CompensatedSum with_x, alone;
  for (int64_t row = 0; row < rows; ++row) {
    const float g = float(dy[row * C + c]);
    with_x.add(g * (float(x[row * C + c]) - mean[row]) * inverse_std[row]);
    alone.add(g);
  }
  sums.dweight[c] = with_x.sum;
  sums.dbias[c] = alone.sum;
}

Refusal accepts_rows(const ConstView& x, const View& y) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (x.dim(1) > INT32_MAX / 2) return str("rows of ", x.dim(1), " columns");
  return x.is_contiguous() && y.is_contiguous() ? "" : "input or output is not contiguous";
}
Refusal accepts_forward(const LayerNormForward& op, const Context& /*context*/) {
  return accepts_rows(op.x, op.y);
}
Refusal accepts_backward(const LayerNormBackward& op, const Context& /*context*/) {
  if (!op.dy.is_contiguous()) return "dy is not contiguous";
  return accepts_rows(op.x, op.dx);
}

template <class Team>
int64_t rows_per_block() {
  return std::is_same_v<Team, Warp> ? threads / 32 : threads;
}

template <class Team>
void forward(const LayerNormForward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t rows = op.x.dim(0);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(layer_norm_forward<T, Team>,
           {blocks_for(rows, rows_per_block<Team>()), threads, 0, stream}, op.x.as<T>(),
           op.weight.as<float>(), op.bias.as<float>(), op.y.as<T>(), op.mean.as<float>(),
           op.inverse_std.as<float>(), rows, static_cast<int>(op.x.dim(1)), op.epsilon);
  });
}

/// Parts the rows are added up in: enough blocks to fill a GPU, each with rows to do.
int64_t parts_of(const LayerNormBackward& op) {
  constexpr int64_t rows_in_a_part = 64;
  constexpr int64_t most = 256;
  return std::clamp<int64_t>(op.x.dim(0) / rows_in_a_part, 1, most);
}

size_t backward_workspace(const LayerNormBackward& op, const Context& /*context*/) {
  return 2 * Workspace::room_for<double>(static_cast<size_t>(parts_of(op) * op.x.dim(1)));
}

template <class T, class Team>
void queue_backward_data(const LayerNormBackward& op, Stream& stream) {
  const int64_t rows = op.x.dim(0);
  launch(layer_norm_backward_data<T, Team>,
         {blocks_for(rows, rows_per_block<Team>()), threads, 0, stream}, op.dy.as<T>(),
         op.x.as<T>(), op.weight.as<float>(), op.mean.as<float>(), op.inverse_std.as<float>(),
         op.dx.as<T>(), rows, static_cast<int>(op.x.dim(1)));
}

void backward_naive(const LayerNormBackward& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t rows = op.x.dim(0), C = op.x.dim(1);
  const ColumnSums<float> total{op.dweight.as<float>(), op.dbias.as<float>()};
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    // Columns first: dx may take dy's place.
    launch(layer_norm_columns_naive<T>, {blocks_for(C, threads), threads, 0, stream}, op.dy.as<T>(),
           op.x.as<T>(), op.mean.as<float>(), op.inverse_std.as<float>(), total, rows,
           static_cast<int>(C));
    queue_backward_data<T, Alone>(op, stream);
  });
}

void backward_warp(const LayerNormBackward& op, Workspace workspace, Stream& stream) {
  const int64_t rows = op.x.dim(0), C = op.x.dim(1), parts = parts_of(op);
  const size_t partial = static_cast<size_t>(parts * C);
  double* const dweight_parts = workspace.take<double>(partial);
  const ColumnSums<double> of_parts{dweight_parts, workspace.take<double>(partial)};
  const ColumnSums<float> total{op.dweight.as<float>(), op.dbias.as<float>()};
  const dim3 grid(blocks_for(C, column_threads).x, static_cast<unsigned>(parts));
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(layer_norm_column_sums<T>, {grid, dim3(column_threads, row_threads), 0, stream},
           op.dy.as<T>(), op.x.as<T>(), op.mean.as<float>(), op.inverse_std.as<float>(), of_parts,
           rows, static_cast<int>(C));
    launch(layer_norm_join_parts, {blocks_for(C, threads), threads, 0, stream}, of_parts, total,
           static_cast<int>(parts), static_cast<int>(C));
    queue_backward_data<T, Warp>(op, stream);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_layer_norm(Registry& registry) {
  using namespace cuda;
  add<LayerNormForward>(
      registry, {.name = "cuda/warp_per_row", .accepts = accepts_forward, .run = forward<Warp>});
  add<LayerNormForward>(registry, {.name = "cuda/naive",
                                   .place = place::plain,
                                   .accepts = accepts_forward,
                                   .run = forward<Alone>});
  add<LayerNormBackward>(registry, {.name = "cuda/warp_per_row",
                                    .accepts = accepts_backward,
                                    .workspace_bytes = backward_workspace,
                                    .run = backward_warp});
  add<LayerNormBackward>(registry, {.name = "cuda/naive",
                                    .place = place::plain,
                                    .accepts = accepts_backward,
                                    .run = backward_naive});
}

}  // namespace burin
