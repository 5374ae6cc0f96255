// Matrix products through cuBLASLt, with bias and activation as its epilogue where it has them.
// cuBLASLt counts columns first: row-major y = a · b is its column-major yᵀ = bᵀ · aᵀ.
#include "burin/kernels/matmul.h"

#include <cublasLt.h>

#include <algorithm>
#include <cstdint>

#include "burin/kernels/cudnn/support/family.h"

namespace burin::cudnn {
namespace {

constexpr size_t workspace_limit = size_t{32} << 20;  // cuBLAS's own recommendation for Hopper

void cublas_check(cublasStatus_t status, Where where = Where::current()) {
  check(status == CUBLAS_STATUS_SUCCESS, "cublasLt: ", cublasLtGetStatusString(status), " at ",
        where.file, ':', where.line);
}

/// State of a stream.
struct LightHandle {
  static constexpr std::string_view name = "cublasLt handle";
  cublasLtHandle_t handle = nullptr;

  LightHandle() { cublas_check(cublasLtCreate(&handle)); }
  ~LightHandle() { cublasLtDestroy(handle); }
  LightHandle(const LightHandle&) = delete;
  LightHandle& operator=(const LightHandle&) = delete;
};

/// The handle of a stream, made at first use for the GPU that is current then. So the stream's GPU
/// becomes the thread's current one, and what is asked of the handle is asked there.
cublasLtHandle_t light_handle_of(Stream& stream) {
  check(cudaSetDevice(stream.device().index) == cudaSuccess, "cublasLt: ", stream.device(),
        " can't be made current");
  return stream.state<LightHandle>().handle;
}

cudaDataType_t cuda_type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDA_R_32F;
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::f16:
      return CUDA_R_16F;
    default:
      fail("cublasLt: dtype ", dtype);
  }
}

/// One matrix of a batch: the last two dimensions.
struct Matrix {
  int64_t batch = 1, rows = 0, columns = 0;
  int64_t row_stride = 0, column_stride = 0, batch_stride = 0;

  explicit Matrix(const ConstView& view) {
    const int last = view.rank() - 1;
    rows = view.dim(last - 1);
    columns = view.dim(last);
    row_stride = view.strides[last - 1];
    column_stride = view.strides[last];
    if (view.rank() == 3) {
      batch = view.dim(0);
      batch_stride = view.strides[0];
    }
  }
  bool is_row_major() const { return column_stride == 1 || columns == 1; }
  /// Distance between rows (or, of a transposed view, columns).
  int64_t leading() const {
    const int64_t stride = is_row_major() ? row_stride : column_stride;
    return std::max(stride, is_row_major() ? columns : rows);
  }
};

/// Layouts, the product's description, the algorithm: what cuBLASLt wants to know.
class Product {
 public:
  explicit Product(const Matmul& op);
  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  /// False if cuBLASLt has no algorithm.
  bool find_algorithm(cublasLtHandle_t handle, const Matmul& op);
  void run(cublasLtHandle_t handle, const Matmul& op, Workspace workspace, cudaStream_t queue);

 private:
  /// The layout of the transpose, which is what cuBLASLt sees of a row-major matrix.
  static cublasLtMatrixLayout_t layout_of(const Matrix& m, DType dtype);
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t name, const Value& value) {
    cublas_check(cublasLtMatmulDescSetAttribute(description_, name, &value, sizeof value));
  }

  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, y_ = nullptr;
  cublasLtMatmulHeuristicResult_t found_{};
};

cublasLtMatrixLayout_t Product::layout_of(const Matrix& m, DType dtype) {
  cublasLtMatrixLayout_t layout = nullptr;
  const bool row_major = m.is_row_major();
  const auto rows = static_cast<uint64_t>(row_major ? m.columns : m.rows);
  const auto columns = static_cast<uint64_t>(row_major ? m.rows : m.columns);
  cublas_check(
      cublasLtMatrixLayoutCreate(&layout, cuda_type_of(dtype), rows, columns, m.leading()));
  const auto count = static_cast<int32_t>(m.batch);
  cublas_check(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                                sizeof count));
  cublas_check(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                &m.batch_stride, sizeof m.batch_stride));
  return layout;
}

/// Epilogue::none and relu come with and without bias; the exact GELU is not cuBLASLt's.
cublasLtEpilogue_t epilogue_of(const Epilogue& epilogue) {
  const bool bias = static_cast<bool>(epilogue.bias);
  switch (epilogue.activation) {
    case Activation::relu:
      return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case Activation::gelu_tanh:
      return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    default:
      return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

Product::Product(const Matmul& op) {
  // Not CUBLAS_COMPUTE_32F_FAST_TF32: products of f32 operands keep all their digits.
  cublas_check(cublasLtMatmulDescCreate(&description_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  const Matrix a(op.a), b(op.b), y(op.y);
  // Its first factor is our second. A row-major matrix already is its own transpose to cuBLASLt.
  set(CUBLASLT_MATMUL_DESC_TRANSA, b.is_row_major() ? CUBLAS_OP_N : CUBLAS_OP_T);
  set(CUBLASLT_MATMUL_DESC_TRANSB, a.is_row_major() ? CUBLAS_OP_N : CUBLAS_OP_T);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(op.epilogue));
  if (op.epilogue.bias) {
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, op.epilogue.bias.data);
    set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
  }
  a_ = layout_of(a, op.a.dtype);
  b_ = layout_of(b, op.b.dtype);
  y_ = layout_of(y, op.y.dtype);
}

Product::~Product() {
  for (const cublasLtMatrixLayout_t layout : {a_, b_, y_}) {
    if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
  }
  cublasLtMatmulDescDestroy(description_);
}

/// cuBLASLt's C; without a residual it is not read.
const void* added_by(const Matmul& op) {
  return op.epilogue.residual ? op.epilogue.residual.data : op.y.data;
}

/// As much as cuBLASLt asks of an address at the most.
uint32_t alignment_of(const void* data) {
  constexpr uintptr_t most = 256;
  const auto address = reinterpret_cast<uintptr_t>(data);
  return static_cast<uint32_t>(std::min(most, address & (0 - address)));
}

bool Product::find_algorithm(cublasLtHandle_t handle, const Matmul& op) {
  cublasLtMatmulPreference_t preference = nullptr;
  cublas_check(cublasLtMatmulPreferenceCreate(&preference));
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                       &workspace_limit, sizeof workspace_limit);
  const auto promise = [&](cublasLtMatmulPreferenceAttributes_t name, const void* data) {
    const uint32_t bytes = alignment_of(data);
    cublasLtMatmulPreferenceSetAttribute(preference, name, &bytes, sizeof bytes);
  };
  promise(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, op.b.data);
  promise(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, op.a.data);
  promise(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, added_by(op));
  promise(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, op.y.data);
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, description_, b_, a_, y_, y_,
                                                               preference, 1, &found_, &count);
  cublasLtMatmulPreferenceDestroy(preference);
  return status == CUBLAS_STATUS_SUCCESS && count > 0;
}

void Product::run(cublasLtHandle_t handle, const Matmul& op, Workspace workspace,
                  cudaStream_t queue) {
  const float one = 1;
  const float beta = op.epilogue.residual ? 1 : 0;
  cublas_check(cublasLtMatmul(handle, description_, &one, op.b.data, b_, op.a.data, a_, &beta,
                              added_by(op), y_, op.y.data, y_, &found_.algo, workspace.data,
                              workspace.bytes, queue));
}

Refusal refuse_matrix(const ConstView& view) {
  if (!is_floating(view.dtype)) return str("dtype ", view.dtype);
  if (view.rank() != 2 && view.rank() != 3) return str("rank ", view.rank());
  if (view.numel() == 0) return "an empty matrix";
  return is_aligned(view) ? "" : "a matrix does not begin at 16 bytes";
}

Refusal accepts(const Matmul& op, const Context& context) {
  const ConstView y = op.y;
  for (const ConstView* view : {&op.a, &op.b, &y}) {
    if (Refusal refusal = refuse_matrix(*view); !refusal.empty()) return refusal;
  }
  const Activation activation = op.epilogue.activation;
  if (activation == Activation::gelu || activation == Activation::sigmoid) {
    return str("activation ", name_of(activation));
  }
  // β · C is added before the epilogue: with an activation, as the contract wants it.
  if (op.epilogue.residual && !same_dense_order(op.epilogue.residual, op.y)) {
    return "the residual does not lie like y";
  }
  if (!is_aligned(op.epilogue.residual)) return "the residual does not begin at 16 bytes";
  if (!is_aligned(op.epilogue.bias)) return "the bias does not begin at 16 bytes";
  Product product(op);
  return product.find_algorithm(light_handle_of(context.stream), op)
             ? ""
             : "cuBLASLt has no algorithm for it";
}

size_t workspace_bytes(const Matmul& /*op*/, const Context& /*context*/) {
  return workspace_limit;
}

void run(const Matmul& op, Workspace workspace, Stream& stream) {
  const cublasLtHandle_t handle = light_handle_of(stream);
  Product product(op);
  check(product.find_algorithm(handle, op), "cublasLt: no algorithm for a product it had accepted");
  product.run(handle, op, workspace, static_cast<cudaStream_t>(stream.native()));
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_matmul(Registry& registry) {
  cudnn::add<Matmul>(registry, {.name = "cudnn",
                                .place = place::vendor,
                                .accepts = cudnn::accepts,
                                .workspace_bytes = cudnn::workspace_bytes,
                                .run = cudnn::run});
}

}  // namespace burin
