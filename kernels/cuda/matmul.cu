// Matrix product, handwritten. From plain to fast; `--impl matmul=cuda/<name>` runs one.
//   naive         one thread per element of y              reads each operand 32 times too often
//   tiled         32×32 tiles of both operands in shared   a load from memory serves 32 products
//                 memory
//   registers     64×64 sums a block, 4×4 a thread;        a load from shared memory serves 4
//                 float4
//   tensor_cores  128×128×64 tiles, cp.async three deep,   16-bit operands, sums in f32
//                 swizzled shared memory, ldmatrix, mma
//   warpgroup     tiles of up to 128×256×64, multiplied    the same on Hopper;
//                 in the background while others arrive:   support/matmul_warpgroup.cu
//                 wgmma reads them from shared memory
//   cluster       tensor_cores for few blocks of the       support/matmul_cluster.cu; not yet run
//                 result: the sum along k is divided       on a GPU
//                 among the blocks of a cluster
// All fuse bias, residual and activation, take a batch, and any mix of transposed operands.
#include "burin/kernels/matmul.h"

#include "burin/kernels/cuda/support/gemm_registers.h"
#include "burin/kernels/cuda/support/gemm_tensor_cores.h"
#include "burin/kernels/cuda/support/matmul.h"
#include "burin/kernels/cuda/support/matmul_product.h"

namespace burin::cuda {
namespace {

template <class T>
__global__ void matmul_naive(MatmulProduct<T> product) {
  product.select(static_cast<int>(blockIdx.z));
  const int n = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  const int m = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (m >= product.M || n >= product.N) return;
  float sum = 0;
  for (int k = 0; k < product.k_end; ++k) sum += product.a(m, k) * product.b(n, k);
  product.store(m, n, sum);
}

template <class T>
__global__ void matmul_tiled(MatmulProduct<T> product) {
  __shared__ float a_tile[32][33];  // 33: threads that walk down a column meet different banks
  __shared__ float b_tile[32][33];
  product.select(static_cast<int>(blockIdx.z));
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int m0 = static_cast<int>(blockIdx.x) * 32, n0 = static_cast<int>(blockIdx.y) * 32;
  float sum = 0;
  for (int k0 = 0; k0 < product.k_end; k0 += 32) {
    const int a_row = product.a_along_k ? y : x, a_k = product.a_along_k ? x : y;
    const int b_row = product.b_along_k ? y : x, b_k = product.b_along_k ? x : y;
    const bool a_inside = m0 + a_row < product.M && k0 + a_k < product.k_end;
    const bool b_inside = n0 + b_row < product.N && k0 + b_k < product.k_end;
    a_tile[a_row][a_k] = a_inside ? product.a(m0 + a_row, k0 + a_k) : 0.0f;
    b_tile[b_row][b_k] = b_inside ? product.b(n0 + b_row, k0 + b_k) : 0.0f;
    __syncthreads();
    for (int k = 0; k < 32; ++k) sum += a_tile[y][k] * b_tile[x][k];
    __syncthreads();
  }
  if (m0 + y < product.M && n0 + x < product.N) product.store(m0 + y, n0 + x, sum);
}

Refusal refuses(const Matmul& op) {
  if (!is_floating(op.a.dtype)) return str("dtype ", op.a.dtype);
  const MatmulExtents e(op);
  const bool small = e.M < (1 << 30) && e.N < (1 << 20) && e.K < (1 << 30) && e.batch < 65536;
  return small ? "" : "an extent is too large for one grid";
}
Refusal accepts(const Matmul& op, const Context& /*context*/) {
  return refuses(op);
}

/// Threads of one block and what they cover.
void run_naive(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const MatmulExtents e(op);
  visit_element(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid(blocks_for(e.M, 8).x, blocks_for(e.N, 32).x, static_cast<unsigned>(e.batch));
    launch(matmul_naive<T>, {grid, dim3(32, 8), 0, stream}, product_of<T>(op));
  });
}

void run_tiled(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const MatmulExtents e(op);
  visit_element(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid(blocks_for(e.M, 32).x, blocks_for(e.N, 32).x, static_cast<unsigned>(e.batch));
    launch(matmul_tiled<T>, {grid, dim3(32, 32), 0, stream}, product_of<T>(op));
  });
}

void run_registers(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const MatmulExtents e(op);
  visit_element(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_registers(product_of<T>(op), e.M, e.N, e.batch, stream);
  });
}

/// Why an operand can't be read in chunks of eight elements; empty if it can.
Refusal chunks_refuse(const ConstView& view, bool k_is_last, const char* name) {
  const int last = view.rank() - 1;
  const int64_t k_stride = view.strides[k_is_last ? last : last - 1];
  const int64_t row_stride = view.strides[k_is_last ? last - 1 : last];
  const int64_t dense =
      k_stride == 1 ? view.dim(k_is_last ? last : last - 1) : view.dim(k_is_last ? last - 1 : last);
  const int64_t pitch = k_stride == 1 ? row_stride : k_stride;
  if (k_stride != 1 && row_stride != 1) return str(name, " has no dense dimension");
  if (dense % 8 != 0 || pitch % 8 != 0) return str(name, "'s rows are no multiple of 8 elements");
  if (view.rank() == 3 && view.strides[0] % 8 != 0) {
    return str(name, "'s matrices are no multiple of 8 elements apart");
  }
  return is_aligned(view) ? "" : str(name, " does not begin at 16 bytes");
}

}  // namespace

Refusal matmul_tensor_cores_refuses(const Matmul& op) {
  if (Refusal refusal = refuses(op); !refusal.empty()) return refusal;
  if (op.a.dtype != DType::bf16 && op.a.dtype != DType::f16) return str("dtype ", op.a.dtype);
  if (Refusal refusal = chunks_refuse(op.a, true, "a"); !refusal.empty()) return refusal;
  return chunks_refuse(op.b, false, "b");
}

void matmul_tensor_cores(const Matmul& op, Stream& stream) {
  with_tensor_product(op, [&](const auto& product, int64_t M, int64_t N, int64_t count) {
    launch_tensor_cores(product, M, N, count, stream);
  });
}

}  // namespace burin::cuda

namespace burin {

void register_cuda_matmul(Registry& registry) {
  cuda::register_matmul_warpgroup(registry);
  cuda::register_matmul_cluster(registry);
  cuda::add<Matmul>(
      registry,
      {.name = "cuda/tensor_cores",
       .accepts = [](const Matmul& op,
                     const Context& /*context*/) { return cuda::matmul_tensor_cores_refuses(op); },
       .run = [](const Matmul& op, Workspace /*workspace*/,
                 Stream& stream) { cuda::matmul_tensor_cores(op, stream); }});
  cuda::add<Matmul>(
      registry, {.name = "cuda/registers", .accepts = cuda::accepts, .run = cuda::run_registers});
  cuda::add<Matmul>(registry, {.name = "cuda/tiled",
                               .place = place::plain,
                               .accepts = cuda::accepts,
                               .run = cuda::run_tiled});
  cuda::add<Matmul>(registry, {.name = "cuda/naive",
                               .place = place::plain,
                               .accepts = cuda::accepts,
                               .run = cuda::run_naive});
}

}  // namespace burin
