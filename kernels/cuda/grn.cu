// Global response normalisation, handwritten. `--impl grn=cuda/<name>` runs one.
//   naive    sums over an image's positions by one thread per channel
//   columns  by tiles of 32 channels and 8 rows of positions, joined in shared memory
// No atomics: equal from run to run.
#include "burin/kernels/grn.h"

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/compensated_sum.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;
constexpr int tile_columns = 32;

struct Extents {
  int64_t N, M, C;
};

/// sums[n, c] = Σ_m a · b, others[n, c] = Σ_m a (unless null). Each block owns blockDim.x channels
/// of image blockIdx.y; its rows of threads share the positions.
template <class T, int tile_rows>
__global__ void grn_sums(const T* a, const T* b, double* sums, double* others, Extents e) {
  __shared__ double products[tile_rows][threads];
  __shared__ double plain[tile_rows][threads];
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t image = int64_t(blockIdx.y) * e.M * e.C;
  CompensatedSum product, alone;
  for (int64_t m = threadIdx.y; m < e.M && c < e.C; m += tile_rows) {
    const int64_t at = image + m * e.C + c;
    const float value = float(a[at]);
    product.add(value * float(b[at]));
    alone.add(value);
  }
  products[threadIdx.y][threadIdx.x] = product.total();
  plain[threadIdx.y][threadIdx.x] = alone.total();
  __syncthreads();

  if (threadIdx.y != 0 || c >= e.C) return;
  double product_total = 0, plain_total = 0;
  for (int k = 0; k < tile_rows; ++k) {
    product_total += products[k][threadIdx.x];
    plain_total += plain[k][threadIdx.x];
  }
  sums[blockIdx.y * e.C + c] = product_total;
  if (others != nullptr) others[blockIdx.y * e.C + c] = plain_total;
}

/// One block per image: norm[n, c] and their mean over c.
__global__ void grn_norms(const double* squares, float* norm, float* mean, Extents e) {
  double sum = 0;
  for (int64_t c = threadIdx.x; c < e.C; c += blockDim.x) {
    const int64_t at = int64_t(blockIdx.x) * e.C + c;
    norm[at] = static_cast<float>(sqrt(squares[at]));
    sum += sqrt(squares[at]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) mean[blockIdx.x] = static_cast<float>(sum / static_cast<double>(e.C));
}

template <class T>
__global__ void grn_apply(const T* x, const float* weight, const float* bias, const float* norm,
                          const float* mean, T* y, Extents e, float epsilon) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= e.N * e.M * e.C) return;
  const int64_t c = i % e.C, n = i / (e.M * e.C);
  const float response = norm[n * e.C + c] / (mean[n] + epsilon);
  const float value = float(x[i]);
  y[i] = T(value + value * response * weight[c] + bias[c]);
}

/// What the gradient of an image needs besides its sums.
struct ImageFactors {
  double mean;      // μ: of the norms, epsilon included
  double weighted;  // Σ_j a[n, j] · norm[n, j]
};

__global__ void grn_image_factors(const double* products, const float* weight, const float* norm,
                                  ImageFactors* factors, Extents e, float epsilon) {
  double sum = 0, weighted = 0;
  for (int64_t c = threadIdx.x; c < e.C; c += blockDim.x) {
    const int64_t at = int64_t(blockIdx.x) * e.C + c;
    const double length = static_cast<double>(norm[at]);
    sum += length;
    weighted += static_cast<double>(weight[c]) * products[at] * length;
  }
  sum = block_sum(sum);
  weighted = block_sum(weighted);
  if (threadIdx.x != 0) return;
  factors[blockIdx.x] = {sum / static_cast<double>(e.C) + static_cast<double>(epsilon), weighted};
}

/// One thread per channel walks over the images.
__global__ void grn_parameter_gradients(const double* products, const double* plain,
                                        const float* norm, const ImageFactors* factors,
                                        float* dweight, float* dbias, Extents e) {
  const int64_t c = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c >= e.C) return;
  double for_weight = 0, for_bias = 0;
  for (int64_t n = 0; n < e.N; ++n) {
    const int64_t at = n * e.C + c;
    for_weight += static_cast<double>(norm[at]) / factors[n].mean * products[at];
    for_bias += plain[at];
  }
  dweight[c] = static_cast<float>(for_weight);
  dbias[c] = static_cast<float>(for_bias);
}

/// By (n, c): dx = dy · of_dy + x · of_x.
struct InputFactors {
  float* of_dy;
  float* of_x;
};

__global__ void grn_input_factors(const double* products, const float* weight, const float* norm,
                                  const ImageFactors* factors, InputFactors to, Extents e) {
  const int64_t at = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= e.N * e.C) return;
  const ImageFactors image = factors[at / e.C];
  const double w = static_cast<double>(weight[at % e.C]), length = static_cast<double>(norm[at]);
  const double shared = image.weighted / (static_cast<double>(e.C) * image.mean * image.mean);
  const double dnorm = w * products[at] / image.mean - shared;
  to.of_dy[at] = static_cast<float>(1 + w * length / image.mean);
  to.of_x[at] = length > 0 ? static_cast<float>(dnorm / length) : 0.0f;
}

template <class T>
__global__ void grn_input_gradient(const T* dy, const T* x, InputFactors factors, T* dx,
                                   Extents e) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= e.N * e.M * e.C) return;
  const int64_t at = i / (e.M * e.C) * e.C + i % e.C;
  dx[i] = T(float(dy[i]) * factors.of_dy[at] + float(x[i]) * factors.of_x[at]);
}

Refusal accepts_images(const ConstView& x, const View& y) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (x.dim(0) > 65535) return str(x.dim(0), " images, more than a grid has rows");
  return x.is_contiguous() && y.is_contiguous() ? "" : "input or output is not contiguous";
}
Refusal accepts_forward(const GrnForward& op, const Context& /*context*/) {
  return accepts_images(op.x, op.y);
}
Refusal accepts_backward(const GrnBackward& op, const Context& /*context*/) {
  if (!op.dy.is_contiguous()) return "dy is not contiguous";
  return accepts_images(op.x, op.dx);
}

Extents extents_of(const ConstView& x) {
  return {x.dim(0), x.dim(1), x.dim(2)};
}

/// tile_rows 1: a thread per channel; 8: a tile.
template <class T, int tile_rows>
void queue_sums(const T* a, const T* b, double* sums, double* others, const Extents& e,
                Stream& stream) {
  constexpr int columns = tile_rows == 1 ? threads : tile_columns;
  const dim3 grid(blocks_for(e.C, columns).x, static_cast<unsigned>(e.N));
  launch(grn_sums<T, tile_rows>, {grid, dim3(columns, tile_rows), 0, stream}, a, b, sums, others,
         e);
}

unsigned image_block(const Extents& e) {
  return static_cast<unsigned>(block_threads(e.C, 256));
}

size_t forward_workspace(const GrnForward& op, const Context& /*context*/) {
  const Extents e = extents_of(op.x);
  return Workspace::room_for<double>(static_cast<size_t>(e.N * e.C)) +
         Workspace::room_for<float>(static_cast<size_t>(e.N));
}

template <int tile_rows>
void forward(const GrnForward& op, Workspace workspace, Stream& stream) {
  const Extents e = extents_of(op.x);
  double* const squares = workspace.take<double>(static_cast<size_t>(e.N * e.C));
  float* const mean = workspace.take<float>(static_cast<size_t>(e.N));
  float* const norm = op.norm.as<float>();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const x = op.x.as<T>();
    queue_sums<T, tile_rows>(x, x, squares, static_cast<double*>(nullptr), e, stream);
    launch(grn_norms, {blocks_for(e.N, 1), image_block(e), 0, stream}, squares, norm, mean, e);
    launch(grn_apply<T>, {blocks_for(op.x.numel(), threads), threads, 0, stream}, x,
           op.weight.as<float>(), op.bias.as<float>(), norm, mean, op.y.as<T>(), e, op.epsilon);
  });
}

size_t backward_workspace(const GrnBackward& op, const Context& /*context*/) {
  const Extents e = extents_of(op.x);
  const auto sums = static_cast<size_t>(e.N * e.C);
  return 2 * Workspace::room_for<double>(sums) + 2 * Workspace::room_for<float>(sums) +
         Workspace::room_for<ImageFactors>(static_cast<size_t>(e.N));
}

template <int tile_rows>
void backward(const GrnBackward& op, Workspace workspace, Stream& stream) {
  const Extents e = extents_of(op.x);
  const auto count = static_cast<size_t>(e.N * e.C);
  double* const products = workspace.take<double>(count);
  double* const plain = workspace.take<double>(count);
  float* const of_dy = workspace.take<float>(count);
  const InputFactors factors{of_dy, workspace.take<float>(count)};
  auto* const images = workspace.take<ImageFactors>(static_cast<size_t>(e.N));
  const float* const weight = op.weight.as<float>();
  const float* const norm = op.norm.as<float>();
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    queue_sums<T, tile_rows>(op.dy.as<T>(), op.x.as<T>(), products, plain, e, stream);
    launch(grn_image_factors, {blocks_for(e.N, 1), image_block(e), 0, stream}, products, weight,
           norm, images, e, op.epsilon);
    launch(grn_parameter_gradients, {blocks_for(e.C, threads), threads, 0, stream}, products, plain,
           norm, images, op.dweight.as<float>(), op.dbias.as<float>(), e);
    launch(grn_input_factors, {blocks_for(e.N * e.C, threads), threads, 0, stream}, products,
           weight, norm, images, factors, e);
    launch(grn_input_gradient<T>, {blocks_for(op.x.numel(), threads), threads, 0, stream},
           op.dy.as<T>(), op.x.as<T>(), factors, op.dx.as<T>(), e);
  });
}

template <int tile_rows>
void add_rung(Registry& registry, std::string_view name, int place) {
  add<GrnForward>(registry, {.name = name,
                             .place = place,
                             .accepts = accepts_forward,
                             .workspace_bytes = forward_workspace,
                             .run = forward<tile_rows>});
  add<GrnBackward>(registry, {.name = name,
                              .place = place,
                              .accepts = accepts_backward,
                              .workspace_bytes = backward_workspace,
                              .run = backward<tile_rows>});
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_grn(Registry& registry) {
  cuda::add_rung<8>(registry, "cuda/columns", place::handwritten);
  cuda::add_rung<1>(registry, "cuda/naive", place::plain);
}

}  // namespace burin
