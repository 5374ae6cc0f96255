// Matrix product, handwritten. From plain to fast; `--impl matmul=cuda/<name>` runs one.
//   naive         one thread per element of y                     reads each operand 32 times too
//   often tiled         32×32 tiles of both operands in shared memory   a load from memory serves
//   32 products registers     64×64 sums a block, 4×4 a thread; float4        a load from shared
//   memory serves 4 tensor_cores  128×128×64 tiles, cp.async three deep,          16-bit operands,
//   sums in f32
//                 swizzled shared memory, ldmatrix, mma
// All fuse bias, residual and activation, take a batch, and any mix of transposed operands.
#include "burin/kernels/matmul.h"

#include "burin/kernels/cuda/support/gemm_registers.h"
#include "burin/kernels/cuda/support/gemm_tensor_cores.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {
namespace {

/// One operand: rows along M or N, and how they lie in memory.
template <class T>
struct Operand {
  const T* data;
  int64_t row_stride, k_stride, batch_stride;

  __device__ float at(int row, int k) const { return float(data[row * row_stride + k * k_stride]); }
};

/// The whole problem as a kernel sees it. After select() it is one product of the batch.
template <class T>
struct Product {
  Operand<T> left, right;
  Output<T> out;
  int64_t pitch, y_batch_stride;  // of y: elements from row to row
  int M, N, k_end;
  bool a_along_k, b_along_k;
  int64_t first = 0;  // element of y
  int k_begin = 0;

  __device__ void select(int batch) {
    left.data += batch * left.batch_stride;
    right.data += batch * right.batch_stride;
    first = batch * y_batch_stride;
  }
  __device__ float a(int m, int k) const { return left.at(m, k); }
  __device__ float b(int n, int k) const { return right.at(n, k); }
  __device__ void store(int m, int n, float sum) const { out.store(first + m * pitch + n, n, sum); }
};

template <class T>
__global__ void matmul_naive(Product<T> product) {
  product.select(static_cast<int>(blockIdx.z));
  const int n = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  const int m = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y);
  if (m >= product.M || n >= product.N) return;
  float sum = 0;
  for (int k = 0; k < product.k_end; ++k) sum += product.a(m, k) * product.b(n, k);
  product.store(m, n, sum);
}

template <class T>
__global__ void matmul_tiled(Product<T> product) {
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

/// The same problem for tensor cores: each operand a RowMatrix or a ColumnMatrix.
template <class T, class LeftMatrix, class RightMatrix>
struct TensorProduct {
  using Element = T;
  LeftMatrix left;
  RightMatrix right;
  Product<T> whole;
  int M, N, k_begin, k_end;

  __device__ void select(int batch) {
    whole.select(batch);
    left.data = whole.left.data;
    right.data = whole.right.data;
  }
  __device__ void store_row(int m, int n, const float* sums, int count) const {
    whole.out.store_row(whole.first + m * whole.pitch + n, n, sums, count);
  }
};

/// A matrix of the op: rank 2, or the last two dimensions of rank 3.
struct Extents {
  int64_t batch, M, N, K;
  explicit Extents(const Matmul& op)
      : batch(op.y.rank() == 3 ? op.y.dim(0) : 1),
        M(op.y.dim(op.y.rank() - 2)),
        N(op.y.dim(op.y.rank() - 1)),
        K(op.a.dim(op.a.rank() - 1)) {}
};

template <class T>
Operand<T> operand(const ConstView& view, bool k_is_last) {
  const int last = view.rank() - 1;
  return {view.as<T>(), view.strides[k_is_last ? last - 1 : last],
          view.strides[k_is_last ? last : last - 1], view.rank() == 3 ? view.strides[0] : 0};
}

template <class T>
Product<T> product_of(const Matmul& op) {
  const Extents e(op);
  const Operand<T> left = operand<T>(op.a, true), right = operand<T>(op.b, false);
  const int64_t pitch = op.y.strides[op.y.rank() - 2];
  const int64_t y_batch = op.y.rank() == 3 ? op.y.strides[0] : 0;
  const bool packets = pitch % 8 == 0 && y_batch % 8 == 0;
  return {left,
          right,
          Output<T>::of(op.y, op.epilogue, packets),
          pitch,
          y_batch,
          static_cast<int>(e.M),
          static_cast<int>(e.N),
          static_cast<int>(e.K),
          left.k_stride == 1,
          right.k_stride == 1};
}

Refusal accepts(const Matmul& op, const Context& /*context*/) {
  if (!is_floating(op.a.dtype)) return str("dtype ", op.a.dtype);
  const Extents e(op);
  const bool small = e.M < (1 << 30) && e.N < (1 << 20) && e.K < (1 << 30) && e.batch < 65536;
  return small ? "" : "an extent is too large for one grid";
}

/// Threads of one block and what they cover.
void run_naive(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const Extents e(op);
  visit_element(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid(blocks_for(e.M, 8).x, blocks_for(e.N, 32).x, static_cast<unsigned>(e.batch));
    launch(matmul_naive<T>, {grid, dim3(32, 8), 0, stream}, product_of<T>(op));
  });
}

void run_tiled(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const Extents e(op);
  visit_element(op.a.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid(blocks_for(e.M, 32).x, blocks_for(e.N, 32).x, static_cast<unsigned>(e.batch));
    launch(matmul_tiled<T>, {grid, dim3(32, 32), 0, stream}, product_of<T>(op));
  });
}

void run_registers(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  const Extents e(op);
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

template <class T, class LeftMatrix, class RightMatrix>
void run_tensor_cores(const Product<T>& whole, int64_t batch, Stream& stream) {
  const auto matrix = [](const Operand<T>& from, int rows, auto tag) {
    using Matrix = typename decltype(tag)::type;
    const bool along_k = std::is_same_v<Matrix, RowMatrix<T>>;
    return Matrix{from.data, along_k ? from.row_stride : from.k_stride, rows};
  };
  const TensorProduct<T, LeftMatrix, RightMatrix> product{
      matrix(whole.left, whole.M, TypeTag<LeftMatrix>{}),
      matrix(whole.right, whole.N, TypeTag<RightMatrix>{}),
      whole,
      whole.M,
      whole.N,
      whole.k_begin,
      whole.k_end};
  launch_tensor_cores(product, whole.M, whole.N, batch, stream);
}

template <class T>
void choose_matrices(const Matmul& op, Stream& stream) {
  using Rows = RowMatrix<T>;
  using Columns = ColumnMatrix<T>;
  const Product<T> whole = product_of<T>(op);
  const int64_t batch = Extents(op).batch;
  if (whole.a_along_k && whole.b_along_k)
    return run_tensor_cores<T, Rows, Rows>(whole, batch, stream);
  if (whole.a_along_k) return run_tensor_cores<T, Rows, Columns>(whole, batch, stream);
  if (whole.b_along_k) return run_tensor_cores<T, Columns, Rows>(whole, batch, stream);
  run_tensor_cores<T, Columns, Columns>(whole, batch, stream);
}

}  // namespace

Refusal matmul_tensor_cores_refuses(const Matmul& op) {
  if (op.a.dtype != DType::bf16 && op.a.dtype != DType::f16) return str("dtype ", op.a.dtype);
  if (Refusal refusal = chunks_refuse(op.a, true, "a"); !refusal.empty()) return refusal;
  return chunks_refuse(op.b, false, "b");
}

void matmul_tensor_cores(const Matmul& op, Stream& stream) {
  if (op.a.dtype == DType::bf16) {
    choose_matrices<__nv_bfloat16>(op, stream);
  } else {
    choose_matrices<__half>(op, stream);
  }
}

namespace {

Refusal accepts_tensor_cores(const Matmul& op, const Context& context) {
  if (Refusal refusal = accepts(op, context); !refusal.empty()) return refusal;
  return matmul_tensor_cores_refuses(op);
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_matmul(Registry& registry) {
  cuda::add<Matmul>(registry,
                    {.name = "cuda/tensor_cores",
                     .accepts = cuda::accepts_tensor_cores,
                     .run = [](const Matmul& op, Workspace /*workspace*/, Stream& stream) {
                       cuda::matmul_tensor_cores(op, stream);
                     }});
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
